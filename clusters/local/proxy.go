package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/process"
)

// proxy is the kube-proxy of the cluster's node.
type proxy struct {
	cluster *cluster
	mode    modes.Mode
	config  []byte

	mu      sync.Mutex
	process *process.Process
}

var _ clusters.Proxy = (*proxy)(nil)

// newProxy writes the configuration of the proxy; it is not started.
func newProxy(c *cluster, mode modes.Mode) (*proxy, error) {
	config, err := mode.Configure(modes.Settings{
		Kubeconfig: c.kubeconfig(), Node: nodeName, Pods: clusterRange, Settings: c.config.Settings,
	})
	if err != nil {
		return nil, err
	}
	p := &proxy{cluster: c, mode: mode, config: config}
	if err := os.WriteFile(p.configFile(), config, 0o600); err != nil {
		return nil, fmt.Errorf("write configuration of the proxy: %w", err)
	}
	return p, nil
}

func (p *proxy) configFile() string { return filepath.Join(p.cluster.owner.work, "kube-proxy.yaml") }

// Start starts kube-proxy in the node's namespace.
func (p *proxy) Start(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		return 0, errors.New("start kube-proxy: it has been started already")
	}
	child, err := p.cluster.launcher.Start(ctx, process.Spec{
		Name: "kube-proxy", Path: p.cluster.binaries[proxyBinary], Namespace: p.cluster.network.node, Log: p.cluster.log("kube-proxy"),
		Args: []string{"--config=" + p.configFile(), "--v=" + strconv.Itoa(p.cluster.config.Settings.Proxy.Verbosity)},
	})
	if err != nil {
		return 0, err
	}
	p.process = child
	go func() {
		<-child.Done()
		if p.current() == child { // nobody has stopped it
			p.cluster.watch(child.Done(), child.Err, "kube-proxy")
		}
	}()
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
	p.process = nil
	return child
}

// Stop ends kube-proxy; its rules stay, and it can be started again.
func (p *proxy) Stop(context.Context) error {
	const grace = 5 * time.Second
	if child := p.take(); child != nil {
		child.Stop(grace)
	}
	return nil
}

func (p *proxy) kill() {
	if p == nil {
		return
	}
	if child := p.take(); child != nil {
		child.Stop(0)
	}
}

// Config is the KubeProxyConfiguration as kube-proxy was given it.
func (p *proxy) Config() string { return string(p.config) }

// Notes are facts of the mode.
func (p *proxy) Notes() []string { return p.mode.Notes() }

// Rules reads the rules back from the node's namespace.
func (p *proxy) Rules(ctx context.Context) (clusters.Rules, error) {
	return p.mode.Rules(ctx, &place{cluster: p.cluster, at: clusters.AtNode, ns: p.cluster.network.node})
}

// Usage reads what the kernel counted for kube-proxy.
func (p *proxy) Usage(context.Context) (clusters.Usage, error) {
	child := p.current()
	if child == nil {
		return clusters.Usage{}, errors.New("read usage of kube-proxy: it does not run")
	}
	return usageOf(child.PID())
}

// Metrics reads kube-proxy's metrics endpoint from inside the node.
func (p *proxy) Metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	families, err := p.scrape(ctx)
	if err != nil {
		return nil, fmt.Errorf("read metrics of kube-proxy: %w", err)
	}
	return families, nil
}

func (p *proxy) scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: p.cluster.network.node.DialContext, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+modes.MetricsAddress+"/metrics", nil)
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
