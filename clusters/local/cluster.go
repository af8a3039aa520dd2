package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/procfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/clusters/life"
	"svcbench/clusters/modes"
	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/verify"
	"svcbench/internal/failure"
	"svcbench/internal/process"
	"svcbench/internal/strain"
)

// cluster is one local cluster.
type cluster struct {
	config   clusters.Config
	mode     modes.Mode
	binaries map[string]string
	self     string

	owner       *owner
	network     *network
	launcher    *process.Launcher
	credentials *credentials
	etcd        *process.Process
	apiserver   *process.Process
	forgetAPI   func() // lets the API server end
	backends    *backend.Backend
	proxy       *proxy
	api         kubernetes.Interface

	lender *cluster // whose control plane it is; nil if its own
	// Of a control plane that is kept: as they were prepared.
	slices   map[string]*discovery.EndpointSlice
	services map[string]*corev1.Service

	*life.Life
}

var (
	_ clusters.Cluster     = (*cluster)(nil)
	_ clusters.Forgetful   = (*cluster)(nil)
	_ clusters.Restartable = (*cluster)(nil)
	_ clusters.Owner       = (*cluster)(nil)
	_ clusters.Tracking    = (*cluster)(nil)
)

// controlPlane are the steps to an API server that answers.
func (c *cluster) controlPlane() []life.Step {
	return []life.Step{
		{What: "make network", Do: c.makeNetwork},
		{What: "take prepared API objects", Do: c.takePrepared},
		{What: "start etcd", Do: c.startEtcd},
		{What: "start API server", Do: c.startAPIServer},
		{What: "connect to API server", Do: c.connect},
		{What: "register node", Do: c.registerNode},
	}
}

// node are the steps from there to a proxy that can be started.
func (c *cluster) node() []life.Step {
	return []life.Step{
		{What: "prepare proxy", Do: c.makeProxy},
		{What: "define custom resources", Do: c.define},
	}
}

// data are the steps from there to pods that answer.
func (c *cluster) data() []life.Step {
	return []life.Step{
		{What: "start backends", Do: c.startBackends},
		{What: "verify pods by traffic", Do: c.verifyPods},
	}
}

// explain returns why the cluster died, if it has, instead of err: a part that
// ended explains more than what it left undone.
func (c *cluster) explain(err error) error {
	if died := c.Err(); died != nil {
		return died
	}
	return err
}

func (c *cluster) makeNetwork(context.Context) (err error) {
	if c.network, err = newNetwork(c.owner.prefix, nil); err != nil {
		return notFit(err, doctor)
	}
	if c.credentials, err = newCredentials(c.owner.work, controlAddr.Addr()); err != nil {
		return err
	}
	return c.writeKubeconfig()
}

func (c *cluster) makeProxy(ctx context.Context) (err error) {
	c.proxy, err = newProxy(ctx, c, c.mode)
	return err
}

// startBackends starts what answers on every pod IP.
func (c *cluster) startBackends(ctx context.Context) (err error) {
	c.backends, err = c.StartBackends(ctx, c.Place(clusters.AtBackend), backend.Spec{Ports: c.config.Ports})
	return err
}

// blameDisk returns err, with the next step if one of the folders has hardly
// any space left: the programs themselves end in many ways then.
func blameDisk(err error, folders ...string) error {
	const hardly = 64 << 20 // the pieces in which etcd takes space for its log
	for _, dir := range folders {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Blocks > 0 && st.Bavail*uint64(st.Bsize) < hardly {
			return failure.New(failure.Environment, fmt.Errorf("the disk of %s is full: %w", dir, err),
				"free some space there (`df -h`), or choose other disks with TMPDIR and --out")
		}
	}
	return err
}

// registerNode makes the Node object without which the proxy would wait.
func (c *cluster) registerNode(ctx context.Context) error {
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "SvcbenchNode"}
	_, err := c.api.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{"kubernetes.io/hostname": nodeName}},
		Spec:       corev1.NodeSpec{PodCIDR: nodePods.String(), PodCIDRs: []string{nodePods.String()}},
		Status: corev1.NodeStatus{
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeBackend.Addr().String()}},
			Conditions: []corev1.NodeCondition{ready},
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // it was prepared
		return nil
	}
	return err
}

// verifyPods makes sure that pods at both ends of the range answer the client.
func (c *cluster) verifyPods(ctx context.Context) error {
	return verify.Ends(ctx, c.Place(clusters.AtClient), podRange, backend.Spec{Ports: c.config.Ports}.First())
}

func (c *cluster) log(name string) string { return filepath.Join(c.config.LogDir, name+".log") }

// API returns a client of the API server.
func (c *cluster) API() kubernetes.Interface { return c.api }

// Network says which addresses and links the cluster has.
func (c *cluster) Network() clusters.Network { return describe() }

// Proxy is the Service implementation under test.
func (c *cluster) Proxy() clusters.Proxy { return c.proxy }

// Forget empties the node's table of connections.
func (c *cluster) Forget() error {
	h, err := c.network.node.Netlink()
	if err == nil {
		defer h.Close()
		err = h.ConntrackTableFlush(netlink.ConntrackTable)
	}
	if err != nil {
		return fmt.Errorf("forget connections of the node: %w", err)
	}
	return nil
}

// Backends switches pod IPs off and on.
func (c *cluster) Backends() clusters.Backends { return c.backends }

// Place returns a place at which agents can run.
func (c *cluster) Place(at clusters.At) agent.Launcher {
	ns := c.network.node
	switch at {
	case clusters.AtClient:
		ns = c.network.client
	case clusters.AtBackend:
		ns = c.network.backend
	}
	return &place{cluster: c, at: at, ns: ns}
}

// Dropped adds up what the node's connection tracking says of each processor.
func (c *cluster) Dropped() (n uint64, err error) {
	err = c.network.node.Do(func() error {
		// Not /proc itself, which is that of the process and not of this thread.
		fs, err := procfs.NewFS("/proc/thread-self")
		if err != nil {
			return err
		}
		processors, err := fs.ConntrackStat()
		for _, p := range processors {
			n += p.Drop + p.EarlyDrop + p.InsertFailed
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the counters of connection tracking: %w", err)
	}
	return n, nil
}

// Owns says whether this program has started a process.
func (c *cluster) Owns(pid int) bool { return strain.Descendants(os.Getpid())(pid) }

// Close removes the cluster. Nothing in it is worth a farewell: its processes
// are killed, in an order in which none complains about another.
func (c *cluster) Close(ctx context.Context) error {
	if !c.End() {
		return nil
	}
	c.proxy.kill()
	if c.backends != nil {
		_ = c.backends.Close() // how it ends does not matter any more
	}
	lent := c.giveBack(ctx)
	for _, p := range []*process.Process{c.apiserver, c.etcd} {
		if p != nil {
			p.Stop(0)
		}
	}
	c.launcher.Close()
	// Programs that a killed proxy had started, and agents still there.
	_, err := removeNamespaces(c.owner.prefix)
	err = errors.Join(err, removeCgroup(c.owner.prefix))
	if c.network != nil {
		err = errors.Join(err, c.network.close())
	}
	if err != nil {
		err = errors.Join(err, c.owner.abandon())
	} else {
		err = c.owner.release()
	}
	if err = errors.Join(lent, err); err != nil {
		return fmt.Errorf("remove cluster %s: %w", c.owner.prefix, err)
	}
	return nil
}
