// Package clusters is what a runner knows of a cluster: how to get one, its
// places, and the Service implementation under test. The providers that make
// clusters are in sub-packages, and so are the modes.
package clusters

import (
	"context"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"svcbench/internal/agent"
	"svcbench/internal/process"
	"svcbench/scenarios"
)

// Provider makes clusters.
type Provider interface {
	// Name is the provider's name in plans and results, such as "local".
	Name() string
	// Modes says for every mode, in the order of reports, whether this
	// provider can run it here. It finds out by trying.
	Modes(ctx context.Context) ([]Support, error)
	// Start brings up a cluster with no Services but those of
	// Config.Prepared, and with its proxy not yet started. It returns when
	// the API server answers and traffic passes between the places. The
	// caller must Close the cluster; nothing is left behind when Start fails.
	Start(ctx context.Context, c Config) (Cluster, error)
	// Facts are properties of the provider that decide results and are the
	// same in all of its clusters, by name.
	Facts() map[string]string
	// Versions maps the parts the provider runs to their versions.
	Versions(ctx context.Context) (map[string]string, error)
}

// Preparer is a provider that can write a population once and start any
// number of clusters with it. Writing is the slowest part of a large cluster,
// and what is started from one database is the same to the byte.
type Preparer interface {
	// Prepare lets fill write API objects and keeps them for Config.Prepared.
	// Of the Config the mode and the proxy do not matter. The error may be
	// that of fill, whose context ends when the API server does.
	Prepare(ctx context.Context, c Config, fill func(context.Context, kubernetes.Interface, Network) error) (Prepared, error)
}

// Carrier is a Preparer whose prepared API objects can go to another process,
// on another kernel.
type Carrier interface {
	Preparer
	// Export copies prepared API objects into the folder dir, which must not
	// exist.
	Export(ctx context.Context, p Prepared, dir string) error
	// Import is Prepare with the API objects that Export has left in dir,
	// which must stay there until the Prepared is closed.
	Import(ctx context.Context, c Config, dir string) (Prepared, error)
}

// Limiter is a provider that knows of populations its modes cannot program.
type Limiter interface {
	// Fits returns nil, or an error that names the limit which the
	// population and ports of the Config exceed in its mode, or what it asks
	// for and the provider has not. Nothing is started for that.
	Fits(c Config) error
}

// Prepared is API objects that clusters can be started with, until it is
// closed.
type Prepared interface {
	// Close forgets them. It may be called more than once.
	Close() error
}

// Support says whether a mode can run.
type Support struct {
	Mode   scenarios.Mode
	Answer Answer
	// Because completes "not run, because ..."; empty for Yes.
	Because string
	// Advice is what somebody who measures the mode should know before
	// anything else; empty for nothing.
	Advice string
}

// Answer is the outcome of trying something.
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
	// NotInstalled is a No for want of a program, whatever the kernel.
	NotInstalled Answer = "not installed"
	// Unknown means that it could not be tried.
	Unknown Answer = "unknown"
)

// Config describes one cluster.
type Config struct {
	// Name tells clusters of one run apart, in logs and messages.
	Name string
	Mode scenarios.Mode
	// Settings are those of the Service implementation.
	Settings scenarios.Settings
	// Size is the most that the cluster will hold at once.
	Size Size
	// Ports are those on which backends answer.
	Ports []uint16
	// Placement is where endpoints are; empty means anywhere.
	Placement scenarios.Placement
	// PodNodes is how many nodes the cluster, which must be Podded then, needs
	// for pods; 0 for none.
	PodNodes int
	// LogDir gets the logs of every part, one file each.
	LogDir string
	// Prepared are the API objects the cluster begins with, from the same
	// provider's Prepare; nil means none.
	Prepared Prepared
}

// Size is how much a Service implementation has to program.
type Size struct {
	// ClusterIPs and NodePorts count ports of Services: pairs of an address
	// and a port at which they are reached.
	ClusterIPs, NodePorts int
	// Endpoints counts pairs of a Service's port and one of its endpoints.
	Endpoints int
}

// Cluster is a running API server and a node whose Services are implemented
// in one mode. Its methods are safe for concurrent use.
type Cluster interface {
	// API returns a client of the API server without client-side limits.
	API() kubernetes.Interface
	// Place returns a place at which agents can run.
	Place(At) agent.Launcher
	// Network says which addresses and links the cluster has.
	Network() Network
	// Proxy is the Service implementation under test.
	Proxy() Proxy
	// Backends switches pod IPs off and on.
	Backends() Backends
	// Died is closed when a part that the cluster cannot do without has
	// ended by itself; Err then says which and why.
	Died() <-chan struct{}
	Err() error
	// Close removes the cluster and everything it made. It may be called
	// more than once and does not depend on the context of Start.
	Close(ctx context.Context) error
}

// At names a place.
type At string

// The places of a cluster.
const (
	AtClient  At = "client"
	AtNode    At = "node"
	AtBackend At = "backend"
)

// Network is what a population and the instruments need to know.
type Network struct {
	// Services is the range of ClusterIPs that may be handed out.
	Services netip.Prefix
	// Pods is the range of pod IPs, all of which answer.
	Pods netip.Prefix
	// ClientLink and BackendLink are the node's links to the two places,
	// between which the path of a packet is timed.
	ClientLink, BackendLink string
	// Node is the name of the Node object that endpoints are on.
	Node string
	// NodeAddr is the node's InternalIP, on which node ports answer.
	NodeAddr netip.Addr
}

// Backends switches pod IPs, as if pods went away or came.
type Backends interface {
	// Off makes pod IPs stop answering and returns when that is so.
	Off(ctx context.Context, ips ...netip.Addr) error
	// On makes pod IPs answer again and returns when that is so.
	On(ctx context.Context, ips ...netip.Addr) error
}

// Forgetful is a cluster whose node can be made to forget connections.
type Forgetful interface {
	// Forget drops what the node remembers of connections. A connection that
	// was tried before there were rules for it is remembered for two minutes,
	// and the next one from the same port would be led where it was.
	Forget() error
}

// Owner is a cluster that knows the processes which belong to it, to svcbench and to
// its instruments.
type Owner interface {
	Owns(pid int) bool
}

// Tracking is a cluster whose node counts connections that it could not remember.
type Tracking interface {
	// Dropped is how many connections the node's table of connections has refused or
	// thrown out since the node was made.
	Dropped() (uint64, error)
}

// Restartable is a cluster whose API server can be restarted.
type Restartable interface {
	// RestartAPI kills the API server, starts it again with the same objects and
	// returns when it is ready, with the time of that in ns of CLOCK_MONOTONIC.
	RestartAPI(ctx context.Context) (ready int64, err error)
}

// Podded is a cluster whose nodes run pods.
type Podded interface {
	// Pod is a pod that answers on a port as the backends do, on one of these
	// nodes.
	Pod(port uint16, nodes ...string) corev1.PodSpec
	// PodNodes are the nodes for such pods, as many as Config.PodNodes or more:
	// the one of the backends first, then others that are not the client's.
	PodNodes() []string
}

// Proxy is the Service implementation of the node: its life and its
// instruments.
type Proxy interface {
	// Start starts it and returns at once with the time of its execution in
	// ns of CLOCK_MONOTONIC. It is an error to start it twice.
	Start(ctx context.Context) (started int64, err error)
	// Stop ends it; what it programmed stays.
	Stop(ctx context.Context) error
	// Config is its complete configuration as it was given.
	Config() string
	// Notes are facts of the mode a reader needs beside its numbers.
	Notes() []string
	// Usage is what it has used since Start, with the programs it ran.
	Usage(ctx context.Context) (Usage, error)
	// Rules reads back from the kernel what it programmed.
	Rules(ctx context.Context) (Rules, error)
	// Syncs reads what it says itself of how it programmed its rules since
	// Start.
	Syncs(ctx context.Context) (Syncs, error)
}

// Freezable is a proxy that can be kept from running.
type Freezable interface {
	// Freeze takes all processors from it or, with false, gives them back
	// (SIGSTOP and SIGCONT). Programs that it has started go on.
	Freeze(on bool) error
}

// Tabled is a proxy whose rules can be looked up while it writes them, without
// being in its way.
type Tabled interface {
	// Table opens them; nil without an error means that this mode's cannot.
	// The proxy must have been started, and the caller closes it.
	Table() (Table, error)
}

// Table is where the kernel looks for the endpoints of a Service.
type Table interface {
	// Endpoints are those to which a new connection to the Service may be
	// sent now, in no order; none for a Service that is not there.
	Endpoints(service netip.AddrPort, protocol scenarios.Protocol) ([]netip.Addr, error)
	Close() error
}

// Syncs is a proxy's own account of its work.
type Syncs struct {
	// Count is how often it has programmed something: with kube-proxy a sync
	// of its rules, with Cilium one address of a Service.
	Count uint64
	// Duration is how long that took together.
	Duration time.Duration
	// Unsettled is true while it is still setting itself up, which takes
	// processors from what is measured, although traffic may have converged.
	Unsettled bool
	// Failing is how much it could not program and tries again and again.
	Failing int
	// Programming is how long it says itself that changes took, from when somebody
	// had a reason to write them until they were in its rules; empty if it does
	// not say.
	Programming Buckets
}

// Buckets are the cumulative counts of a Prometheus histogram by upper bound, in
// seconds, without that of +Inf, and All of its samples.
type Buckets struct {
	Counts map[float64]uint64
	All    uint64
}

// Usage is what a proxy has used since it was started.
type Usage struct {
	// CPU is user and system time, with that of programs it ran and waited
	// for (nft, iptables-restore).
	CPU time.Duration
	// System is the part of CPU that was spent in the kernel.
	System time.Duration
	// MaxRSS is the largest resident set of its own process, in bytes.
	MaxRSS int64
	// Written is how many bytes it wrote to files, pipes and connections: what
	// nft and iptables-restore get is among them, what goes by netlink or bpf(2)
	// is not.
	Written int64
}

// UsageOf is what the kernel has counted for the process of a proxy.
func UsageOf(u process.Used) Usage {
	return Usage{CPU: u.User + u.System, System: u.System, MaxRSS: u.Peak, Written: u.Written}
}

// Rules are a proxy's rules as the kernel has them.
type Rules struct {
	// Counts are the numbers of objects by the last part of their metric's
	// name: "count" (rules, or entries that stand for an address of a
	// Service), "chains", "sets", "elements", and "memory" in bytes.
	Counts map[string]int64
	// Order lists the cluster IPs in the order in which the kernel compares
	// a new packet with them; nil where it looks them up in a table, so
	// that no Service comes before another.
	Order []netip.Addr
	// Listing is what the mode's usual tool shows of them, for people to
	// read; nil where that is too long or there is no such tool.
	Listing []byte
	// Tool is the name of that tool.
	Tool string
}
