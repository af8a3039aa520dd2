package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/verify"
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
	cilium  Cilium
	bridged bool // the network of the nodes was made for this cluster

	agentImage string
	rest       *rest.Config
	api        kubernetes.Interface
	pods       map[clusters.At]pod
	network    clusters.Network
	backends   *backend.Backend
	proxy      *proxy

	died chan struct{} // closed when a part has ended by itself
	over chan struct{} // closed by Close

	mu      sync.Mutex
	closing bool
	closed  bool
	err     error
}

var (
	_ clusters.Cluster   = (*cluster)(nil)
	_ clusters.Forgetful = (*cluster)(nil)
)

// step is a part of bringing up a cluster.
type step struct {
	what string
	do   func(context.Context) error
}

// steps lead to pods that answer, and a proxy that can be started.
func (c *cluster) steps() []step {
	return []step{
		{"create nodes", c.createNodes},
		{"connect to API server", c.connect},
		{"compare clocks", c.compareClocks},
		{"connect pods", c.connectPods},
		{"load agents", c.loadAgents},
		{"wait for nodes", c.awaitNodes},
		{"start pods", c.startPods},
		{"route to pods", c.routePods},
		{"look at network", c.lookAtNetwork},
		{"start backends", c.startBackends},
		{"verify pods by traffic", c.verifyPods},
		{"prepare proxy", c.prepareProxy},
	}
}

// createNodes has kind create the nodes. Its functions take no context: when
// ctx ends the nodes are removed, which ends whatever it was doing.
func (c *cluster) createNodes(ctx context.Context) error {
	definition, err := definition(c.config.Mode, c.proxy.program.Config, c.workers)
	if err != nil {
		return err
	}
	c.bridged = !c.engine.hasBridge(ctx)
	created := make(chan error, 1)
	go func() {
		created <- c.kind.Create(c.name,
			kindcluster.CreateWithV1Alpha4Config(definition), kindcluster.CreateWithNodeImage(c.image),
			kindcluster.CreateWithKubeconfigPath(c.kubeconfig()), kindcluster.CreateWithRetain(true),
			kindcluster.CreateWithDisplayUsage(false), kindcluster.CreateWithDisplaySalutation(false))
	}()
	select {
	case err := <-created:
		if err != nil {
			return errors.Join(err, c.keepLogs())
		}
		return nil
	case <-ctx.Done():
		_ = c.kind.Delete(c.name, c.kubeconfig())
		<-created
		return context.Cause(ctx)
	}
}

// keepLogs keeps what the nodes say of a failure.
func (c *cluster) keepLogs() error {
	if c.config.LogDir == "" {
		return nil
	}
	// It complains of programs that a node does not have; what it found is there.
	_ = c.kind.CollectLogs(c.name, filepath.Join(c.config.LogDir, "nodes"))
	return nil
}

// keepProxyLogs keeps what the kube-proxies have said, as far as it can be had.
func (c *cluster) keepProxyLogs(ctx context.Context) {
	if c.api == nil || c.proxy.pid == "" {
		return
	}
	pods := c.api.CoreV1().Pods(metav1.NamespaceSystem)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy"})
	if err != nil {
		return
	}
	for _, p := range list.Items {
		if text, err := pods.GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(ctx); err == nil {
			_ = os.WriteFile(filepath.Join(c.config.LogDir, "kube-proxy-"+p.Spec.NodeName+".log"), text, 0o644)
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

// startBackends starts what answers on every pod IP. Once it has started it
// lives as long as the cluster, not as the context of Start.
func (c *cluster) startBackends(ctx context.Context) (err error) {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	started := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer started()
	c.backends, err = backend.Start(life, c.Place(clusters.AtBackend), backend.Spec{Ports: c.config.Ports})
	if err != nil {
		return err
	}
	go c.watch(c.backends.Gone(), c.backends.Err, "the backends")
	return nil
}

// verifyPods makes sure that pods at both ends of the range answer the client.
func (c *cluster) verifyPods(ctx context.Context) error {
	return verify.Ends(ctx, c.Place(clusters.AtClient), podRange, backend.Spec{Ports: c.config.Ports}.First())
}

// watch makes the cluster die with one of its parts.
func (c *cluster) watch(done <-chan struct{}, why func() error, name string) {
	select {
	case <-done:
	case <-c.over:
		return
	}
	err := why()
	if err == nil {
		err = fmt.Errorf("%s ended by itself", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.err != nil {
		return
	}
	c.err = err
	close(c.died)
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
	_, err := c.home().Run(context.Background(), nil, "conntrack", "-F")
	return err
}

// Died is closed when the cluster has lost one of its parts.
func (c *cluster) Died() <-chan struct{} { return c.died }

// Err says which part ended by itself, and why.
func (c *cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close removes the nodes, and the network that kind has made for them if nobody
// else had one.
func (c *cluster) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closing, c.closed = true, true
	close(c.over)
	c.mu.Unlock()
	if c.backends != nil {
		_ = c.backends.Close() // how it ends does not matter any more
	}
	c.keepProxyLogs(ctx)
	deleted := make(chan error, 1)
	go func() { deleted <- c.kind.Delete(c.name, c.kubeconfig()) }()
	var err error
	select {
	case err = <-deleted:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if c.bridged {
		// It stays if others have come to use it.
		_, _ = c.engine.run(ctx, "network", "rm", bridge())
	}
	if err = errors.Join(err, os.RemoveAll(c.work)); err != nil {
		// Unlocked, the claim says that something is left.
		return errors.Join(fmt.Errorf("remove cluster %s: %w", c.name, err), c.claim.file.Close())
	}
	return c.claim.release()
}
