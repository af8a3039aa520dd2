package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"svcbench/clusters"
	"svcbench/clusters/life"
	"svcbench/clusters/modes"
	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/verify"
	"svcbench/internal/nodeimage"
)

// cluster is one kind cluster.
type cluster struct {
	config  clusters.Config
	mode    modes.Mode
	engine  engine
	kind    *kindcluster.Provider
	name    string
	image   string // of the nodes
	workers int
	self    string // this program
	work    string // a folder that goes with the cluster
	claim   *claim
	journal *journal
	cilium  Cilium
	failed  bool // it never came up

	agents   nodeimage.Image
	rest     *rest.Config
	api      kubernetes.Interface
	pods     map[clusters.At]pod
	network  clusters.Network
	backends *backend.Backend
	proxy    *proxy

	*life.Life
}

var (
	_ clusters.Cluster   = (*cluster)(nil)
	_ clusters.Forgetful = (*cluster)(nil)
)

// steps lead to pods that answer, and a proxy that can be started.
func (c *cluster) steps() []life.Step {
	return []life.Step{
		{What: "configure proxy", Do: c.configureProxy},
		{What: "create nodes", Do: c.createNodes},
		{What: "connect to API server", Do: c.connect},
		{What: "compare clocks", Do: c.compareClocks},
		{What: "connect pods", Do: c.connectPods},
		{What: "load agents", Do: c.loadAgents},
		{What: "wait for nodes", Do: c.awaitNodes},
		{What: "start pods", Do: c.startPods},
		{What: "route to pods", Do: c.routePods},
		{What: "look at network", Do: c.lookAtNetwork},
		{What: "start backends", Do: c.startBackends},
		{What: "verify pods by traffic", Do: c.verifyPods},
		{What: "deploy proxy", Do: c.deployProxy},
	}
}

// createNodes has kind create the nodes. Its functions take no context: when
// ctx ends the nodes are removed, which ends whatever it was doing, again and again
// because it may be about to make another.
func (c *cluster) createNodes(ctx context.Context) error {
	wanted, err := definition(c.config.Mode, c.proxy.program.Config, c.workers)
	if err != nil {
		return err
	}
	before, err := c.engine.network(ctx)
	if err != nil {
		return err
	}
	created := make(chan error, 1)
	go func() {
		created <- c.kind.Create(c.name,
			kindcluster.CreateWithV1Alpha4Config(wanted), kindcluster.CreateWithNodeImage(c.image),
			kindcluster.CreateWithKubeconfigPath(c.kubeconfig()), kindcluster.CreateWithRetain(true),
			kindcluster.CreateWithDisplayUsage(false), kindcluster.CreateWithDisplaySalutation(false))
	}()
	cancelled := ctx.Done()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-created:
			if failed := kindexec.RunErrorForError(err); failed != nil {
				c.journal.note("%s", failed.Output)
			}
			remembered := c.rememberNetwork(ctx, before)
			if ctx.Err() != nil {
				return errors.Join(context.Cause(ctx), remembered)
			}
			return errors.Join(err, remembered)
		case <-cancelled:
			cancelled = nil
		case <-again.C:
		}
		if ctx.Err() != nil {
			_ = c.kind.Delete(c.name, c.kubeconfig())
		}
	}
}

// rememberNetwork claims the network of the nodes if it was made for them.
func (c *cluster) rememberNetwork(ctx context.Context, before string) error {
	if before != "" {
		return nil
	}
	// Also when ctx has ended: somebody has to remove it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logPatience)
	defer cancel()
	id, err := c.engine.network(ctx)
	if err != nil {
		return err
	}
	c.claim.Network = id
	return c.claim.write()
}

// logPatience is how long logs may take to be kept.
const logPatience = 10 * time.Second

// keepLogs keeps what the proxies have said, and what the nodes have if the cluster
// has failed, as far as it can be had.
func (c *cluster) keepLogs(ctx context.Context) {
	if c.config.LogDir == "" {
		return
	}
	if c.failed {
		// It complains of programs that a node does not have; what it found is there.
		_ = c.kind.CollectLogs(c.name, filepath.Join(c.config.LogDir, "nodes"))
	}
	if c.api == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	pods := c.api.CoreV1().Pods(metav1.NamespaceSystem)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "k8s-app in (kube-proxy, cilium)"})
	if err != nil {
		return
	}
	for _, p := range list.Items {
		if text, err := pods.GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(ctx); err == nil {
			_ = os.WriteFile(filepath.Join(c.config.LogDir, c.mode.Binary()+".log"), text, 0o644)
		}
	}
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.work, "kubeconfig") }

// connect makes the client, without limits of its own.
func (c *cluster) connect(context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		return err
	}
	config.QPS = -1
	c.rest = config
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = "application/vnd.kubernetes.protobuf"
	c.api, err = kubernetes.NewForConfig(protobuf)
	return err
}

// awaitNodes waits until every node is ready: kind itself reports success when
// they are not.
func (c *cluster) awaitNodes(ctx context.Context) error {
	return poll(ctx, "nodes to be ready", func(ctx context.Context) (bool, error) {
		list, err := c.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		ready := 0
		for _, n := range list.Items {
			for _, condition := range n.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == 1+c.workers, nil
	})
}

func (c *cluster) lookAtNetwork(ctx context.Context) (err error) {
	c.network, err = c.describe(ctx)
	return err
}

// startBackends starts what answers on every pod IP.
func (c *cluster) startBackends(ctx context.Context) (err error) {
	c.backends, err = c.StartBackends(ctx, c.Place(clusters.AtBackend), backend.Spec{Ports: c.config.Ports})
	return err
}

// verifyPods makes sure that pods at both ends of the range answer the client.
func (c *cluster) verifyPods(ctx context.Context) error {
	return verify.Ends(ctx, c.Place(clusters.AtClient), podRange, backend.Spec{Ports: c.config.Ports}.First())
}

// API returns a client of the API server.
func (c *cluster) API() kubernetes.Interface { return c.api }

// Network says which addresses and links the cluster has.
func (c *cluster) Network() clusters.Network { return c.network }

// Proxy is the Service implementation of the client's node.
func (c *cluster) Proxy() clusters.Proxy { return c.proxy }

// Backends switches pod IPs off and on.
func (c *cluster) Backends() clusters.Backends { return c.backends }

// Place returns a place at which agents can run: a pod, or the client's node.
func (c *cluster) Place(at clusters.At) agent.Launcher {
	if at == clusters.AtNode {
		return c.home()
	}
	return podPlace{cluster: c, pod: c.pods[at]}
}

// home is the node of the client, whose proxy is under test.
func (c *cluster) home() node { return c.node(c.pods[clusters.AtClient].node) }

// Forget empties the table of connections of the client's node.
func (c *cluster) Forget() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := c.home().Run(ctx, nil, "conntrack", "-F")
	return err
}

// Close removes the nodes, and the network that kind has made for them if nobody
// else has come to need it.
func (c *cluster) Close(ctx context.Context) error {
	if !c.End() {
		return nil
	}
	if c.backends != nil {
		_ = c.backends.Close() // how it ends does not matter any more
	}
	c.journal.note("remove")
	c.keepLogs(ctx)
	defer c.journal.close()
	if err := c.claim.remove(ctx, c.name); err != nil {
		return errors.Join(fmt.Errorf("remove cluster %s: %w", c.name, err), c.claim.abandon())
	}
	return c.claim.release(c.name)
}
