// Package kind makes clusters of containers with kind: real nodes with kubelet,
// containerd and pods, and kube-proxy as kubeadm deploys it. It does not touch
// the user's kubeconfig.
package kind

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"svcbench/clusters"
	"svcbench/clusters/life"
	"svcbench/clusters/modes"
	"svcbench/internal/failure"
	"svcbench/internal/nodeimage"
	"svcbench/scenarios"
)

// Name is the provider's name.
const Name = "kind"

// prefix begins the names of all clusters of svcbench.
const prefix = "svcbench-"

// Options configure a Provider.
type Options struct {
	// Image is the image of nodes, which the container engine has.
	Image string
	// Workers is how many nodes there are beside the control plane's.
	Workers int
	// Agent is the program that runs as "PROGRAM agent NAME" at the places,
	// Agents the image with it (see nodeimage.BuildAgents).
	Agent  string
	Agents nodeimage.Image
	// Cilium is what mode ebpf runs; nil leaves the mode out, because of
	// NoCilium.
	Cilium   *Cilium
	NoCilium string
}

// Provider makes kind clusters.
type Provider struct{ options Options }

var _ clusters.Provider = (*Provider)(nil)

// New returns a Provider.
func New(o Options) *Provider { return &Provider{options: o} }

// Name returns "kind".
func (p *Provider) Name() string { return Name }

// Versions asks the image of nodes and the container engine.
func (p *Provider) Versions(ctx context.Context) (map[string]string, error) {
	e, err := findEngine(ctx)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{"node image": p.options.Image}
	for what, args := range map[string][]string{
		"kubernetes":    {"run", "--rm", "--network=none", "--entrypoint=cat", p.options.Image, "/kind/version"},
		"node image ID": {"image", "inspect", "--format={{.Id}}", p.options.Image},
		e.name:          {"version", "--format={{.Server.Version}}"},
	} {
		out, err := e.run(ctx, args...)
		if err != nil {
			return nil, fmt.Errorf("find out the version of %s: %w", what, err)
		}
		versions[what] = strings.TrimSpace(string(out))
	}
	if c := p.options.Cilium; c != nil {
		versions["cilium-agent"], versions["cilium image"] = c.Version, c.Image
	}
	return versions, nil
}

// Facts describes what decides results here.
func (p *Provider) Facts() map[string]string {
	return map[string]string{
		"network":      fmt.Sprintf("1 control-plane and %d worker nodes in containers, joined by a bridge; client and backends are pods on different nodes, unless there is one or the scenario places them on the same; the proxy under test runs on the client's node alone", p.options.Workers),
		"endpoints":    "every pod IP is answered by one pod (AnyIP)",
		"client":       "a pod by its address: kube-proxy does not masquerade its traffic to cluster IPs (detectLocalMode ClusterCIDR)",
		"etcd":         "does not wait for the disk (--unsafe-no-fsync)",
		"controlPlane": "shares the processors with what is measured; the proxy, the client and the backends request " + proxyShare + " each",
		"nodeImage":    p.options.Image,
	}
}

// Modes tries every mode in a container with the image of nodes.
func (p *Provider) Modes(ctx context.Context) (_ []clusters.Support, err error) {
	e, err := findEngine(ctx)
	if err != nil {
		return nil, err
	}
	id, err := newName()
	if err != nil {
		return nil, err
	}
	owned, err := newClaim(id, e)
	if err != nil {
		return nil, err
	}
	// Registered before there is anything: the engine may make the container
	// although its client was ended.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		if removed := owned.remove(ctx, id); removed != nil {
			err = errors.Join(err, removed, owned.abandon())
			return
		}
		err = errors.Join(err, owned.release(id))
	}()
	name := id + trialSuffix
	if _, err := e.run(ctx, "run", "--detach", "--rm", "--privileged", "--network=none", "--name="+name,
		"--entrypoint=sleep", p.options.Image, "infinity"); err != nil {
		return nil, fmt.Errorf("start a container to try modes in: %w", err)
	}
	var all []clusters.Support
	for _, m := range modes.All() {
		s := clusters.Support{Mode: m.Name(), Advice: m.Advice()}
		switch {
		case m.Name() != scenarios.EBPF:
			s.Answer, s.Because = m.Probe(ctx, node{engine: e, name: name})
		case p.options.Cilium == nil:
			s.Answer, s.Because = clusters.NotInstalled, p.options.NoCilium
		default:
			s.Answer, s.Because = modes.ProbeKernel()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		all = append(all, s)
	}
	return all, nil
}

// trialSuffix ends the name of the container in which modes are tried.
const trialSuffix = "-trial"

// closePatience is how long the removal of a cluster may take.
const closePatience = 2 * time.Minute

// newName returns a name for a cluster that no other has.
func newName() (string, error) {
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return prefix + hex.EncodeToString(b), nil
}

// PodNodes is how many nodes beside that of the client there are for pods in a
// cluster with so many workers. One worker is the client's, so that pods run beside
// the control plane.
func PodNodes(workers int) int { return max(1, workers) }

var _ clusters.Limiter = (*Provider)(nil)

// Fits asks the mode, and refuses the datapath for which clients would have to be
// in a cgroup of svcbench's own.
func (p *Provider) Fits(config clusters.Config) error {
	mode := modes.Of(config.Mode)
	if mode == nil {
		return fmt.Errorf("unknown mode %q", config.Mode)
	}
	if config.Mode == scenarios.EBPF && config.Settings.EBPF.Datapath == scenarios.DatapathSocket {
		return errors.New("mode ebpf with the datapath socket does not run in kind clusters: it runs in local ones")
	}
	if config.Placement == scenarios.CrossNode && p.options.Workers == 0 {
		return failure.New(failure.Usage, errors.New("endpoints are on another node than the client, and there is one node"), "--workers 1")
	}
	if config.Placement == scenarios.SameNode && config.PodNodes > 1 {
		return failure.New(failure.Usage, errors.New("pods are moved between nodes, and endpoints are to be on the client's"), "leave out placement, or choose cross-node")
	}
	if nodes := PodNodes(p.options.Workers); config.PodNodes > nodes {
		return failure.New(failure.Usage, fmt.Errorf("pods are moved between %d nodes beside the client's, and there would be %d", config.PodNodes, nodes),
			fmt.Sprintf("--workers %d", config.PodNodes))
	}
	return mode.Fits(config.Size)
}

// Start brings up a cluster.
func (p *Provider) Start(ctx context.Context, config clusters.Config) (_ clusters.Cluster, err error) {
	fail := func(err error) error { return fmt.Errorf("start kind cluster %s: %w", config.Name, err) }
	mode := modes.Of(config.Mode)
	if mode == nil {
		return nil, fail(fmt.Errorf("unknown mode %q", config.Mode))
	}
	e, err := findEngine(ctx)
	if err != nil {
		return nil, fail(err)
	}
	c := &cluster{
		config: config, mode: mode, engine: e, image: p.options.Image, workers: p.options.Workers, self: p.options.Agent, agents: p.options.Agents,
		Life: life.New(nil),
	}
	if p.options.Cilium != nil {
		c.cilium = *p.options.Cilium
	}
	if c.journal, err = newJournal(config.LogDir); err != nil {
		return nil, fail(err)
	}
	c.kind = kindcluster.NewProvider(e.option(), kindcluster.ProviderWithLogger(c.journal))
	if c.name, err = newName(); err != nil {
		return nil, fail(err)
	}
	c.placePods()
	if c.claim, err = newClaim(c.name, e); err != nil {
		return nil, fail(err)
	}
	c.work = c.claim.Work
	if err := os.Mkdir(c.work, 0o700); err != nil {
		return nil, errors.Join(fail(err), c.claim.release(c.name))
	}
	if err := life.Climb(ctx, c.steps(), func(what string) { c.journal.note("%s", what) }); err != nil {
		c.failed = ctx.Err() == nil
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		return nil, errors.Join(fail(err), c.Close(limited))
	}
	c.journal.note("is up")
	return c, nil
}
