package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/process"
	"svcbench/scenarios"
)

// proxy is kube-proxy at the client's node; the other nodes have one too.
type proxy struct {
	cluster *cluster
	program modes.Program

	mu  sync.Mutex
	pid string // in the node; empty while it does not run
}

var _ clusters.Proxy = (*proxy)(nil)

// makeProxy writes kube-proxy's configuration, the one of local clusters, which
// is part of what the cluster is created from.
func (c *cluster) makeProxy(ctx context.Context) (err error) {
	c.proxy = &proxy{cluster: c}
	if c.proxy.isCilium() {
		return nil // its configuration depends on what there is then
	}
	c.proxy.program, err = c.mode.Program(ctx, node{}, modes.Settings{
		// Where kubeadm puts it; the name of the node is given by a flag.
		Kubeconfig: "/var/lib/kube-proxy/kubeconfig.conf",
		Pods:       clusterRange, Size: c.config.Size, Settings: c.config.Settings,
	})
	return err
}

// prepareProxy does what must be done before the proxy can be started.
func (c *cluster) prepareProxy(ctx context.Context) error {
	if c.proxy.isCilium() {
		return c.makeCilium(ctx)
	}
	return nil
}

// isCilium reports whether the proxy is not kube-proxy.
func (p *proxy) isCilium() bool { return p.cluster.config.Mode == scenarios.EBPF }

// binary is the name of the proxy's program.
func (p *proxy) binary() string { return p.cluster.mode.Binary() }

// daemonSet is what kubeadm calls kube-proxy.
const daemonSet = "kube-proxy"

// Start has kubeadm deploy kube-proxy, and returns when the one of the client's
// node runs.
func (p *proxy) Start(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != "" {
		return 0, fmt.Errorf("start %s: it has been started already", p.binary())
	}
	deploy := p.deploy
	if p.isCilium() {
		deploy = p.startCilium
	}
	if err := deploy(ctx); err != nil {
		return 0, fmt.Errorf("deploy %s: %w", p.binary(), err)
	}
	err := poll(ctx, p.binary()+" to run", func(ctx context.Context) (bool, error) {
		out, err := p.cluster.home().Run(ctx, nil, "pgrep", "-x", "-o", p.binary())
		p.pid = strings.TrimSpace(string(out))
		return err == nil && p.pid != "", nil // pgrep fails when there is none
	})
	if err != nil {
		return 0, err
	}
	stat, err := p.cluster.home().Run(ctx, nil, "cat", "/proc/"+p.pid+"/stat")
	if err != nil {
		return 0, err
	}
	return process.StartOf(stat)
}

// deploy runs the phase of "kubeadm init" that was left out, or lets what it
// deployed before run again.
func (p *proxy) deploy(ctx context.Context) error {
	const config = "/kind/svcbench.conf"
	control := p.cluster.node(p.cluster.name + "-control-plane")
	sets := p.cluster.api.AppsV1().DaemonSets(metav1.NamespaceSystem)
	if _, err := sets.Get(ctx, daemonSet, metav1.GetOptions{}); err == nil {
		return p.chooseNodes(ctx, "linux")
	}
	given, err := control.Run(ctx, nil, "cat", "/kind/kubeadm.conf")
	if err != nil {
		return err
	}
	wanted := bytes.ReplaceAll(given, []byte("- "+phaseProxy+"\n"), nil)
	if _, err := control.Run(ctx, wanted, "dd", "status=none", "of="+config); err != nil {
		return err
	}
	_, err = control.Run(ctx, nil, "kubeadm", "init", "phase", "addon", "kube-proxy", "--config="+config)
	return err
}

// chooseNodes says which nodes have a kube-proxy, by the label that all have.
func (p *proxy) chooseNodes(ctx context.Context, system string) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"nodeSelector": map[string]string{"kubernetes.io/os": system},
	}}}})
	if err != nil {
		return err
	}
	_, err = p.cluster.api.AppsV1().DaemonSets(metav1.NamespaceSystem).Patch(ctx, daemonSet, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// Stop ends kube-proxy on all nodes; what it programmed stays.
func (p *proxy) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == "" {
		return nil
	}
	stop := func(ctx context.Context) error { return p.chooseNodes(ctx, "none") }
	if p.isCilium() {
		stop = p.stopCilium
	}
	if err := stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", p.binary(), err)
	}
	err := poll(ctx, p.binary()+" to end", func(ctx context.Context) (bool, error) {
		_, err := p.cluster.home().Run(ctx, nil, "pgrep", "-x", p.binary())
		return err != nil && ctx.Err() == nil, nil
	})
	if err == nil {
		p.pid = ""
	}
	return err
}

// current is the process of the proxy in the node; empty while it does not run.
func (p *proxy) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Config is the configuration as the proxy was given it.
func (p *proxy) Config() string { return p.program.Config }

// Notes are facts of the mode.
func (p *proxy) Notes() []string { return p.cluster.mode.Notes(p.cluster.config.Settings) }

// Usage reads what the kernel counted for the proxy of the client's node.
func (p *proxy) Usage(ctx context.Context) (clusters.Usage, error) {
	pid := p.current()
	if pid == "" {
		return clusters.Usage{}, fmt.Errorf("read usage of %s: it does not run", p.binary())
	}
	stat, err := p.cluster.home().Run(ctx, nil, "cat", "/proc/"+pid+"/stat")
	if err != nil {
		return clusters.Usage{}, err
	}
	status, err := p.cluster.home().Run(ctx, nil, "cat", "/proc/"+pid+"/status")
	if err != nil {
		return clusters.Usage{}, err
	}
	cpu, memory, err := process.Usage(stat, status)
	return clusters.Usage{CPU: cpu, MaxRSS: memory}, err
}

// Rules reads the rules back from the client's node, and keeps what the mode's
// own tool says of them beside the logs.
func (p *proxy) Rules(ctx context.Context) (clusters.Rules, error) {
	if !p.isCilium() {
		if err := p.verifyConfig(ctx); err != nil {
			return clusters.Rules{}, err
		}
	}
	n, err := p.observed(ctx)
	if err != nil {
		return clusters.Rules{}, err
	}
	rules, err := p.cluster.mode.Rules(ctx, n)
	if err != nil || rules.Listing == nil {
		return rules, err
	}
	if err := os.WriteFile(filepath.Join(p.cluster.config.LogDir, rules.Tool+".log"), rules.Listing, 0o644); err != nil {
		return rules, fmt.Errorf("keep the output of %s: %w", rules.Tool, err)
	}
	return rules, nil
}

// Syncs reads the metrics of the client's node.
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

// get asks the kube-proxy of the client's node, which answers nobody else.
func (p *proxy) get(ctx context.Context, path string) ([]byte, error) {
	return p.cluster.home().Run(ctx, nil, "curl", "--silent", "--show-error", "--fail", "--max-time", "10", "http://"+p.program.Metrics+path)
}
