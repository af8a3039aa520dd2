// Package local makes clusters on this machine without containers: real
// etcd, kube-apiserver, and kube-proxy or cilium-agent as child processes, in
// network namespaces that nothing else can reach. What a cluster is made of is
// removed with it, however svcbench ends: see Clean.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"svcbench/clusters"
	"svcbench/clusters/life"
	"svcbench/clusters/modes"
	"svcbench/internal/failure"
	"svcbench/internal/netns"
	"svcbench/internal/process"
	"svcbench/scenarios"
)

// Name is the provider's name.
const Name = "local"

// The names of the binaries that a cluster runs.
const (
	etcdBinary      = "etcd"
	apiserverBinary = "kube-apiserver"
)

// Binaries returns the names of the binaries that Options.Binaries must hold
// for clusters in these modes.
func Binaries(of ...scenarios.Mode) []string {
	names := []string{etcdBinary, apiserverBinary}
	for _, name := range of {
		if m := modes.Of(name); m != nil && !slices.Contains(names, m.Binary()) {
			names = append(names, m.Binary())
		}
	}
	return names
}

// Options configure a Provider.
type Options struct {
	// Binaries are the paths of the binaries, by name; see Binaries.
	Binaries map[string]string
	// Versions are the versions of the binaries, by name.
	Versions map[string]string
	// Agent is the program that runs as "PROGRAM agent NAME" at the places;
	// empty means the running one.
	Agent string
	// KeepControlPlane makes all clusters with the same prepared API objects
	// share one control plane, one after the other. They start at once, and
	// begin with an API server that is as warm as the others have left it.
	KeepControlPlane bool
	// TempDir holds what clusters need while they exist; empty means the
	// default folder for temporary files.
	TempDir string
}

// Provider makes local clusters.
type Provider struct{ options Options }

var _ clusters.Provider = (*Provider)(nil)

// New returns a Provider.
func New(o Options) *Provider {
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	return &Provider{options: o}
}

// Name returns "local".
func (p *Provider) Name() string { return Name }

// Versions returns the versions of the binaries.
func (p *Provider) Versions(context.Context) (map[string]string, error) {
	return p.options.Versions, nil
}

// Facts describes what decides results here.
func (p *Provider) Facts() map[string]string {
	facts := map[string]string{
		"network":      "one node; client and backends are network namespaces joined to it by veth pairs",
		"endpoints":    "every pod IP is answered by one process (AnyIP)",
		"client":       "a pod by its address: kube-proxy does not masquerade its traffic to cluster IPs (detectLocalMode ClusterCIDR)",
		"etcd":         "does not wait for the disk (--unsafe-no-fsync)",
		"controlPlane": "shares the processors with what is measured; etcd and kube-apiserver run with GOGC=400",
	}
	if p.options.KeepControlPlane {
		facts["controlPlane"] += "; one for all trials with the same population, which is restored after each"
	}
	return facts
}

// Modes tries every mode in a namespace of its own.
func (p *Provider) Modes(ctx context.Context) (_ []clusters.Support, err error) {
	o, err := newOwner(p.options.TempDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.release()) }()
	launcher := process.NewLauncher()
	defer launcher.Close()
	var all []clusters.Support
	for _, m := range modes.All() {
		s := clusters.Support{Mode: m.Name(), Advice: m.Advice()}
		s.Answer, s.Because, err = try(ctx, m, launcher, o.prefix+"-trial")
		if err != nil {
			return nil, fmt.Errorf("try mode %s: %w", m.Name(), err)
		}
		all = append(all, s)
	}
	return all, nil
}

// try probes one mode in a throw-away namespace.
func try(ctx context.Context, m modes.Mode, l *process.Launcher, name string) (_ clusters.Answer, because string, err error) {
	ns, err := netns.Create(name)
	if err != nil {
		return "", "", notFit(err, doctor)
	}
	defer func() { err = errors.Join(err, ns.Delete()) }()
	answer, because := m.Probe(ctx, &place{cluster: &cluster{launcher: l}, at: clusters.AtNode, ns: ns})
	return answer, because, context.Cause(ctx)
}

var _ clusters.Limiter = (*Provider)(nil)

// kindHas is what to do about what local clusters lack.
const kindHas = "run it in a kind cluster: --cluster kind"

// Fits asks the mode.
func (p *Provider) Fits(config clusters.Config) error {
	mode := modes.Of(config.Mode)
	if mode == nil {
		return fmt.Errorf("unknown mode %q", config.Mode)
	}
	if config.PodNodes > 0 {
		return failure.New(failure.Usage, errors.New("local clusters run no pods"), kindHas)
	}
	if config.Placement == scenarios.CrossNode {
		return failure.New(failure.Usage, errors.New("local clusters have one node, on which the client is too"), kindHas)
	}
	return mode.Fits(config.Size)
}

// Start brings up a cluster.
func (p *Provider) Start(ctx context.Context, config clusters.Config) (clusters.Cluster, error) {
	mode := modes.Of(config.Mode)
	if mode == nil {
		return nil, fmt.Errorf("start cluster %s: unknown mode %q", config.Name, config.Mode)
	}
	c, err := p.newCluster(config)
	if err != nil {
		return nil, fmt.Errorf("start cluster %s: %w", config.Name, err)
	}
	c.mode = mode
	control := c.controlPlane()
	if p, ok := config.Prepared.(*prepared); ok && p.alive != nil {
		control = []life.Step{{What: "join control plane", Do: c.join(p.alive)}}
	}
	if err := life.Climb(ctx, slices.Concat(control, c.node(), c.data()), nil); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster %s: %w", config.Name, c.explain(err)), c.Close(ctx))
	}
	return c, nil
}

// newCluster returns a cluster that has a name and a work folder but nothing
// that runs. It must be closed.
func (p *Provider) newCluster(config clusters.Config) (_ *cluster, err error) {
	c := &cluster{config: config, binaries: p.options.Binaries, self: p.options.Agent}
	for _, name := range Binaries(config.Mode) {
		if c.binaries[name] == "" {
			return nil, fmt.Errorf("no binary %s", name)
		}
	}
	if c.self == "" {
		if c.self, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find own program: %w", err)
		}
	}
	if c.owner, err = newOwner(p.options.TempDir); err != nil {
		return nil, err
	}
	c.Life = life.New(func(err error) error { return blameDisk(err, c.owner.work, config.LogDir) })
	c.launcher = process.NewLauncher()
	return c, nil
}
