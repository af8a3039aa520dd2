// Package modes knows the ways of implementing Kubernetes Services, one file
// a mode: what each needs, how it is configured, and how its rules are read
// back. Where and as what it runs is a provider's affair.
package modes

import (
	"context"
	"net/netip"

	dto "github.com/prometheus/client_model/go"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// Mode is one way of implementing Services.
type Mode interface {
	// Name is the mode's name.
	Name() scenarios.Mode
	// Advice is what somebody should know before measuring it; empty for
	// nothing.
	Advice() string
	// Binary is the name of the component that implements it.
	Binary() string
	// Probe finds out by trying whether the mode can run at a node that
	// holds nothing yet, and leaves nothing there that matters. because is
	// empty for clusters.Yes.
	Probe(ctx context.Context, n Node) (answer clusters.Answer, because string)
	// Fits returns nil, or an error that names the limit which a population
	// exceeds, whatever the machine.
	Fits(clusters.Size) error
	// Program returns how the mode's proxy is run at the node.
	Program(ctx context.Context, n Node, s Settings) (Program, error)
	// Rules reads back what the proxy has programmed at the node. An error
	// with the code failure.Invalid means that it has not programmed
	// everything.
	Rules(ctx context.Context, n Node) (clusters.Rules, error)
	// Syncs finds the proxy's account of its work in its metrics. All zero
	// means that it has not done any.
	Syncs(metrics map[string]*dto.MetricFamily) clusters.Syncs
	// Notes are facts of the mode, set up like that, that a reader needs
	// beside its numbers.
	Notes(s scenarios.Settings) []string
}

// Node is where a mode is tried and observed.
type Node interface {
	// Run runs a program to its end in the node's network namespace, with
	// stdin as its standard input, and returns its standard output. The
	// error holds its standard error.
	Run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error)
	// Path is where svcbench itself finds a file of the proxy as the proxy
	// sees it, whether or not it runs: it may have mounts of its own. Names
	// are those in Settings.Dir; "bpf" is the file system of BPF maps.
	Path(name string) string
}

// Settings are what a proxy is told, alike in every mode.
type Settings struct {
	// Kubeconfig is the path of the file that leads to the API server.
	Kubeconfig string
	// Node is the name of the Node object.
	Node string
	// Pods is the range of pod IPs. Traffic from inside it is not
	// masqueraded.
	Pods netip.Prefix
	// ClientLink and BackendLink are the node's links to the two places.
	ClientLink, BackendLink string
	// Dir is a folder for files of the proxy. It is empty and will be
	// removed.
	Dir string
	// Assets is the folder of the mode's component.
	Assets string
	// Cgroup is the folder of a cgroup v2; see Program.Cgroup.
	Cgroup string
	Size   clusters.Size
	scenarios.Settings
}

// Program is how a proxy is run.
type Program struct {
	Args []string
	// Env is added to the environment of every process.
	Env []string
	// Files are written into Settings.Dir before it starts, by name.
	Files map[string][]byte
	// Copies are folders copied into Settings.Dir before it starts: from a
	// path to a name.
	Copies map[string]string
	// Mounts are made before it starts and seen by the proxy alone.
	Mounts []Mount
	// Cgroup says what it needs Settings.Cgroup for.
	Cgroup CgroupUse
	// Definitions are YAML files with CustomResourceDefinitions that must be
	// established before it starts.
	Definitions []string
	// Config is the complete configuration, for the record.
	Config string
	// Metrics is where it answers "GET /metrics" at the node.
	Metrics string
}

// CgroupUse says who is in the cgroup of a trial.
type CgroupUse string

// The uses of a cgroup.
const (
	// NoCgroup needs none.
	NoCgroup CgroupUse = ""
	// EmptyCgroup needs one in which nobody is.
	EmptyCgroup CgroupUse = "empty"
	// ClientCgroup needs one that holds the trial's clients and nobody else.
	ClientCgroup CgroupUse = "clients"
)

// Mount is a mount(2) for a proxy.
type Mount struct {
	// Type is the type of file system; empty binds Source to Target.
	Type           string
	Source, Target string
	// ReadOnly makes it read-only.
	ReadOnly bool
}

// All returns every mode in the order of reports.
func All() []Mode { return []Mode{iptables{}, ipvs{}, nftables{}, ebpf{}} }

// Of returns the mode of that name, nil if there is none.
func Of(name scenarios.Mode) Mode {
	for _, m := range All() {
		if m.Name() == name {
			return m
		}
	}
	return nil
}
