package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"svcbench/clusters"
	"svcbench/clusters/crd"
	"svcbench/clusters/modes"
	"svcbench/internal/cgroup"
	"svcbench/internal/process"
)

// proxy is the Service implementation of the cluster's node.
type proxy struct {
	cluster *cluster
	mode    modes.Mode
	program modes.Program
	// launcher starts it: with mounts of its own where it needs some.
	launcher *process.Launcher
	// cgroup is where the trial's cgroup is or would be; nil where the machine
	// has no cgroup v2.
	cgroup *cgroup.Group

	// defined are the custom resources it needed, in the API server.
	defined []crd.Definition

	mu      sync.Mutex
	process *process.Process
	forget  func() // lets the process end
}

var (
	_ clusters.Proxy     = (*proxy)(nil)
	_ clusters.Tabled    = (*proxy)(nil)
	_ clusters.Freezable = (*proxy)(nil)
)

// newProxy makes everything the proxy needs but does not start it.
func newProxy(ctx context.Context, c *cluster, mode modes.Mode) (_ *proxy, err error) {
	p := &proxy{cluster: c, mode: mode}
	if err := os.Mkdir(p.dir(), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the proxy: %w", err)
	}
	if p.cgroup, err = cgroup.At(c.owner.prefix); err != nil && !errors.Is(err, cgroup.ErrNone) {
		return nil, err
	}
	p.program, err = mode.Program(ctx, p.node(), modes.Settings{
		Kubeconfig: c.kubeconfig(), Node: nodeName, Pods: clusterRange, ClientLink: clientLink, BackendLink: backendLink,
		Dir: p.dir(), Assets: filepath.Dir(c.binaries[mode.Binary()]), Cgroup: p.cgroup.Dir(), Size: c.config.Size, Settings: c.config.Settings,
	})
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", mode.Binary(), err)
	}
	if err := p.furnish(); err != nil {
		return nil, err
	}
	return p, nil
}

// dir is the folder with what belongs to the proxy.
func (p *proxy) dir() string { return filepath.Join(p.cluster.owner.work, "proxy") }

// node is the place where the proxy runs.
func (p *proxy) node() *place {
	return &place{cluster: p.cluster, at: clusters.AtNode, ns: p.cluster.network.node, proxy: p}
}

// furnish makes the files and mounts of the program.
func (p *proxy) furnish() (err error) {
	for name, text := range p.program.Files {
		if err := os.WriteFile(filepath.Join(p.dir(), name), text, 0o600); err != nil {
			return fmt.Errorf("write file of the proxy: %w", err)
		}
	}
	for from, name := range p.program.Copies {
		to := filepath.Join(p.dir(), name)
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return blameDisk(fmt.Errorf("copy %s for the proxy: %w", from, err), p.cluster.owner.work)
		}
	}
	if p.program.Cgroup != modes.NoCgroup {
		if p.cgroup == nil {
			return notFit(cgroup.ErrNone, doctor)
		}
		if err := p.cgroup.Create(); err != nil {
			return notFit(err, doctor)
		}
	}
	if len(p.program.Mounts) == 0 {
		p.launcher = p.cluster.launcher
		return nil
	}
	p.launcher, err = process.NewPrivateLauncher(func() error { return mountAll(p.program.Mounts) })
	return notFit(err, doctor)
}

// Start starts the proxy in the node's namespace.
func (p *proxy) Start(ctx context.Context) (int64, error) {
	name := p.mode.Binary()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		return 0, fmt.Errorf("start %s: it has been started already", name)
	}
	child, err := p.launcher.Start(ctx, process.Spec{
		Name: name, Path: p.cluster.binaries[name], Namespace: p.cluster.network.node, Log: p.cluster.log(name),
		Args: p.program.Args, Env: p.program.Env,
	})
	if err != nil {
		return 0, err
	}
	p.process = child
	p.forget = p.cluster.Watch(child.Done(), child.Err, name)
	return child.Started(), nil
}

func (p *proxy) current() *process.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

func (p *proxy) take() *process.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	child := p.process
	if child != nil {
		p.forget()
	}
	p.process = nil
	return child
}

// Stop ends the proxy; its rules stay, and it can be started again.
func (p *proxy) Stop(context.Context) error {
	const grace = 5 * time.Second
	if child := p.take(); child != nil {
		child.Stop(grace)
	}
	return nil
}

// kill ends the proxy for good.
func (p *proxy) kill() {
	if p == nil {
		return
	}
	if child := p.take(); child != nil {
		child.Stop(0)
	}
	if p.launcher != nil && p.launcher != p.cluster.launcher {
		p.launcher.Close()
	}
}

// Config is the configuration as the proxy was given it.
func (p *proxy) Config() string { return p.program.Config }

// Notes are facts of the mode.
func (p *proxy) Notes() []string { return p.mode.Notes(p.cluster.config.Settings) }

// Rules reads the rules back from the node's namespace, and keeps what the
// mode's own tool says of them beside the logs.
func (p *proxy) Rules(ctx context.Context) (clusters.Rules, error) {
	rules, err := p.mode.Rules(ctx, p.node())
	if err != nil || rules.Listing == nil {
		return rules, err
	}
	if err := os.WriteFile(p.cluster.log(rules.Tool), rules.Listing, 0o644); err != nil {
		return rules, fmt.Errorf("keep the output of %s: %w", rules.Tool, err)
	}
	return rules, nil
}

// Table opens the rules for looking them up, where the mode can.
func (p *proxy) Table() (clusters.Table, error) {
	if m, ok := p.mode.(modes.Tabled); ok {
		return m.Table(p.node())
	}
	return nil, nil
}

// Freeze stops the proxy's process, or lets it go on.
func (p *proxy) Freeze(on bool) error {
	child := p.current()
	if child == nil {
		return fmt.Errorf("freeze %s: it does not run", p.mode.Binary())
	}
	if err := process.Freeze(child.PID(), on); err != nil {
		return fmt.Errorf("freeze %s: %w", p.mode.Binary(), err)
	}
	return nil
}

// Usage reads what the kernel counted for the proxy.
func (p *proxy) Usage(context.Context) (clusters.Usage, error) {
	child := p.current()
	if child == nil {
		return clusters.Usage{}, fmt.Errorf("read usage of %s: it does not run", p.mode.Binary())
	}
	return usageOf(child.PID())
}

// Syncs reads the proxy's metrics endpoint from inside the node.
func (p *proxy) Syncs(ctx context.Context) (clusters.Syncs, error) {
	families, err := p.scrape(ctx)
	if err != nil {
		return clusters.Syncs{}, fmt.Errorf("read metrics of %s: %w", p.mode.Binary(), err)
	}
	return p.mode.Syncs(families), nil
}

func (p *proxy) scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: p.cluster.network.node.DialContext, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.program.Metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return nil, fmt.Errorf("status %s: %s", response.Status, text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(response.Body)
}
