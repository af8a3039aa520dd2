package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/process"
	"svcbench/scenarios"
)

// proxy is the Service implementation of the client's node. It is a DaemonSet, and
// runs while the node has a label.
type proxy struct {
	cluster    *cluster
	deployment deployment
	program    modes.Program
	machine    machine

	mu  sync.Mutex
	pid int // on this machine; 0 while it does not run
	// forget lets the process end.
	forget func()
}

// deployment is how a proxy gets into a cluster.
type deployment interface {
	// configure returns what the cluster has to be created with.
	configure(ctx context.Context) (modes.Program, error)
	// deploy makes everything of the proxy but a node on which it may run. Of the
	// Program that it returns Config and Metrics count.
	deploy(ctx context.Context, configured modes.Program) (modes.Program, error)
	// verify makes sure that the proxy runs as the Program says.
	verify(ctx context.Context, p *proxy) error
	// seen is the client's node as the mode sees it, while the proxy runs with
	// that root folder.
	seen(root string) modes.Node
}

var (
	_ clusters.Proxy     = (*proxy)(nil)
	_ clusters.Tabled    = (*proxy)(nil)
	_ clusters.Freezable = (*proxy)(nil)
)

// configureProxy decides what the cluster is created from.
func (c *cluster) configureProxy(ctx context.Context) (err error) {
	c.proxy = &proxy{cluster: c, deployment: kubeProxy{c}}
	if c.config.Mode == scenarios.EBPF {
		c.proxy.deployment = cilium{c}
	}
	c.proxy.program, err = c.proxy.deployment.configure(ctx)
	return err
}

// deployProxy does what must be done before the proxy can be started.
func (c *cluster) deployProxy(ctx context.Context) (err error) {
	if c.proxy.machine, err = findMachine(ctx, c.home()); err != nil {
		return err
	}
	c.proxy.program, err = c.proxy.deployment.deploy(ctx, c.proxy.program)
	return err
}

// binary is the name of the proxy's program.
func (p *proxy) binary() string { return p.cluster.mode.Binary() }

// Start lets the proxy run on the client's node, and returns when it does. The
// time is that of its process, to 10 ms.
func (p *proxy) Start(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		return 0, fmt.Errorf("start %s: it has been started already", p.binary())
	}
	if err := p.allow(ctx, true); err != nil {
		return 0, fmt.Errorf("start %s: %w", p.binary(), err)
	}
	err := poll(ctx, p.binary()+" to run", func(context.Context) (_ bool, err error) {
		p.pid, err = p.machine.find(p.binary())
		return p.pid != 0, err
	})
	if err != nil {
		return 0, err
	}
	ended, err := p.machine.ended(p.pid)
	if err != nil {
		return 0, err
	}
	p.forget = p.cluster.Watch(ended, func() error { return nil }, p.binary())
	stat, err := p.machine.read(p.pid, "stat")
	if err != nil {
		return 0, fmt.Errorf("read when %s was started: %w", p.binary(), err)
	}
	return process.StartOf(stat)
}

// Stop ends the proxy; what it programmed stays.
func (p *proxy) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return nil
	}
	p.forget()
	if err := p.allow(ctx, false); err != nil {
		return fmt.Errorf("stop %s: %w", p.binary(), err)
	}
	err := poll(ctx, p.binary()+" to end", func(context.Context) (bool, error) {
		pid, err := p.machine.find(p.binary())
		return err == nil && pid == 0, err
	})
	if err == nil {
		p.pid = 0
	}
	return err
}

// current is the process of the proxy on this machine; 0 while it does not run.
func (p *proxy) current() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Config is the configuration as the proxy was given it.
func (p *proxy) Config() string { return p.program.Config }

// Notes are facts of the mode.
func (p *proxy) Notes() []string { return p.cluster.mode.Notes(p.cluster.config.Settings) }

// Freeze stops the proxy's process, or lets it go on.
func (p *proxy) Freeze(on bool) error {
	pid := p.current()
	if pid == 0 {
		return fmt.Errorf("freeze %s: it does not run", p.binary())
	}
	if err := process.Freeze(pid, on); err != nil {
		return fmt.Errorf("freeze %s: %w", p.binary(), err)
	}
	return nil
}

// Usage reads what the kernel counted for the proxy.
func (p *proxy) Usage(context.Context) (clusters.Usage, error) {
	pid := p.current()
	if pid == 0 {
		return clusters.Usage{}, fmt.Errorf("read usage of %s: it does not run", p.binary())
	}
	used, err := process.Usage(func(name string) ([]byte, error) { return p.machine.read(pid, name) })
	if err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of %s: %w", p.binary(), err)
	}
	return clusters.UsageOf(used), nil
}

// observed is the client's node as the mode sees it.
func (p *proxy) observed() modes.Node { return p.deployment.seen(p.machine.root(p.current())) }

// Rules reads the rules back from the client's node, and keeps what the mode's
// own tool says of them beside the logs.
func (p *proxy) Rules(ctx context.Context) (clusters.Rules, error) {
	if err := p.deployment.verify(ctx, p); err != nil {
		return clusters.Rules{}, err
	}
	rules, err := p.cluster.mode.Rules(ctx, p.observed())
	if err != nil || rules.Listing == nil || p.cluster.config.LogDir == "" {
		return rules, err
	}
	if err := os.WriteFile(filepath.Join(p.cluster.config.LogDir, rules.Tool+".log"), rules.Listing, 0o644); err != nil {
		return rules, fmt.Errorf("keep the output of %s: %w", rules.Tool, err)
	}
	return rules, nil
}

// Table opens the rules for looking them up, where the mode can.
func (p *proxy) Table() (clusters.Table, error) {
	m, ok := p.cluster.mode.(modes.Tabled)
	if !ok {
		return nil, nil
	}
	if p.current() == 0 {
		return nil, errors.New("open the tables of a proxy that does not run")
	}
	return m.Table(p.observed())
}

// Syncs reads the proxy's metrics.
func (p *proxy) Syncs(ctx context.Context) (clusters.Syncs, error) {
	families, err := p.scrape(ctx)
	if err != nil {
		return clusters.Syncs{}, fmt.Errorf("read metrics of %s: %w", p.binary(), err)
	}
	return p.cluster.mode.Syncs(families), nil
}

func (p *proxy) scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	out, err := p.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(bytes.NewReader(out))
}

// get asks the proxy, which answers nobody but its own node.
func (p *proxy) get(ctx context.Context, path string) ([]byte, error) {
	return p.cluster.home().Run(ctx, nil, "curl", "--silent", "--show-error", "--fail", "--max-time", "10", "http://"+p.program.Metrics+path)
}
