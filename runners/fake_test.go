package runners

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/httpload"
	"svcbench/internal/agent/identity"
	"svcbench/internal/agent/path"
	"svcbench/internal/agent/verify"
	"svcbench/internal/agent/watch"
	"svcbench/internal/stats"
	"svcbench/runners/population"
)

// fakeProvider makes clusters of one network namespace, in which a proxy of a
// few lines leads connections to endpoints it looks up in a fake API.
type fakeProvider struct {
	t testing.TB
	// prepare changes a cluster before it is used.
	prepare func(*fakeCluster)
	started int
	last    *fakeCluster
}

func (p *fakeProvider) Name() string { return "fake" }

func (p *fakeProvider) Modes(context.Context) ([]clusters.Support, error) { return twoWork(), nil }

func (p *fakeProvider) Facts() map[string]string { return map[string]string{"masquerade": "no"} }

func (p *fakeProvider) Versions(context.Context) (map[string]string, error) {
	return map[string]string{"fake": "v1"}, nil
}

func (p *fakeProvider) Start(_ context.Context, c clusters.Config) (clusters.Cluster, error) {
	p.started++
	f := &fakeCluster{
		t: p.t, config: c, api: fake.NewClientset(), died: make(chan struct{}),
		network:  fakeNetwork(),
		off:      map[netip.Addr]bool{},
		launcher: agenttest.Launcher{},
	}
	p.last = f
	f.proxy = &fakeProxy{cluster: f}
	if p.prepare != nil {
		p.prepare(f)
	}
	if f.refuse != nil {
		return nil, f.refuse
	}
	return f, nil
}

// keepingProvider is a fakeProvider that can keep populations.
type keepingProvider struct {
	*fakeProvider
	prepared, closed int
	exported         map[string]*fakePrepared // by folder
}

// fakePrepared is the API of a preparation, which clusters share.
type fakePrepared struct {
	provider *keepingProvider
	api      kubernetes.Interface
}

func (p *keepingProvider) Prepare(ctx context.Context, _ clusters.Config, fill func(context.Context, kubernetes.Interface, clusters.Network) error) (clusters.Prepared, error) {
	p.prepared++
	f := &fakePrepared{provider: p, api: fake.NewClientset()}
	return f, fill(ctx, f.api, fakeNetwork())
}

func (p *keepingProvider) Start(ctx context.Context, c clusters.Config) (clusters.Cluster, error) {
	started, err := p.fakeProvider.Start(ctx, c)
	if err == nil && c.Prepared != nil {
		p.last.api = c.Prepared.(*fakePrepared).api
	}
	return started, err
}

func (p *keepingProvider) Export(_ context.Context, objects clusters.Prepared, dir string) error {
	if p.exported == nil {
		p.exported = map[string]*fakePrepared{}
	}
	p.exported[dir] = objects.(*fakePrepared)
	return nil
}

func (p *keepingProvider) Import(_ context.Context, _ clusters.Config, dir string) (clusters.Prepared, error) {
	f := p.exported[dir]
	if f == nil {
		return nil, fmt.Errorf("nothing in %s", dir)
	}
	return &fakePrepared{provider: p, api: f.api}, nil
}

func (p *fakePrepared) Close() error {
	p.provider.closed++
	return nil
}

func fakeNetwork() clusters.Network {
	return clusters.Network{
		Services: netip.MustParsePrefix("10.96.0.0/16"), Pods: netip.MustParsePrefix("10.244.0.0/16"),
		ClientLink: "to-client", BackendLink: "to-backend", Node: "node",
	}
}

// fakeCluster is a cluster without a kernel, until inNamespace is called.
type fakeCluster struct {
	t        testing.TB
	config   clusters.Config
	api      kubernetes.Interface
	network  clusters.Network
	launcher agenttest.Launcher
	proxy    *fakeProxy
	refuse   error // why the cluster does not start

	mu     sync.Mutex
	off    map[netip.Addr]bool
	err    error
	died   chan struct{}
	closed int
	closer []func()
}

// inNamespace gives the cluster a network: real agents, and pods and Services
// that answer at their addresses.
func (c *fakeCluster) inNamespace() {
	ns := agenttest.NewNamespace(c.t)
	ns.AnyIP(c.network.Pods)
	ns.AnyIP(c.network.Services)
	for name, serve := range map[string]agenttest.Serve{
		verify.Name: verify.Serve, watch.Name: watch.Serve, connect.Name: connect.Serve, backend.Name: backend.Serve,
	} {
		c.launcher[name] = ns.Serve(serve)
	}
	pods, err := backend.Start(context.Background(), c.launcher, backend.Spec{Ports: c.config.Ports})
	if err != nil {
		c.t.Fatal(err)
	}
	c.closer = append(c.closer, func() { pods.Close() })
	c.proxy.listen = func(port int) (l net.Listener, err error) {
		err = ns.Do(func() error {
			l, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
			return err
		})
		return l, err
	}
}

// converged makes every verification succeed at once.
func (c *fakeCluster) converged() {
	c.launcher[verify.Name] = func(ctx context.Context, conn *agent.Conn) error {
		return agent.Answer(ctx, conn, func(_ context.Context, s verify.Spec) (*verify.Result, error) {
			r := &verify.Result{Start: agent.Now(), End: agent.Now()}
			for _, t := range s.Targets {
				r.Targets = append(r.Targets, verify.TargetResult{ID: t.ID, FirstOK: agent.Now(), Complete: agent.Now()})
			}
			return r, nil
		})
	}
}

// pathSays makes the path probe answer a Spec with a greeting, and Collect
// with samples.
func (c *fakeCluster) pathSays(greeting string, samples func() path.Samples) {
	c.launcher[path.Name] = func(_ context.Context, conn *agent.Conn) error {
		var spec path.Spec
		if err := conn.Receive(&spec); err != nil {
			return err
		}
		if err := conn.Send(map[string]any{greeting: map[string]string{"how": "tcx", "because": "the kernel is too old"}}); err != nil {
			return err
		}
		for {
			var command string
			if conn.Receive(&command) != nil {
				return nil
			}
			var answer any = struct{}{}
			if command == "collect" {
				answer = samples()
			}
			if err := conn.Send(answer); err != nil {
				return err
			}
		}
	}
}

// httpSays makes the HTTP load answer that all went well. The real one works
// on threads that are not of the namespace.
func (c *fakeCluster) httpSays(judge func(httpload.Spec)) {
	c.launcher[httpload.Name] = func(ctx context.Context, conn *agent.Conn) error {
		return agent.Answer(ctx, conn, func(_ context.Context, s httpload.Spec) (*httpload.Result, error) {
			judge(s)
			h := stats.NewHistogram()
			h.Record(1)
			one, err := h.Encode()
			return &httpload.Result{Due: 12, Sent: 10, Dropped: 2, Late: 1, Count: 1, Response: one, Service: one, Lag: one}, err
		})
	}
}

// die ends a part of the cluster.
func (c *fakeCluster) die(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.died)
}

func (c *fakeCluster) API() kubernetes.Interface        { return c.api }
func (c *fakeCluster) Place(clusters.At) agent.Launcher { return c.launcher }
func (c *fakeCluster) Network() clusters.Network        { return c.network }
func (c *fakeCluster) Proxy() clusters.Proxy            { return c.proxy }
func (c *fakeCluster) Backends() clusters.Backends      { return c }
func (c *fakeCluster) Died() <-chan struct{}            { return c.died }
func (c *fakeCluster) On(_ context.Context, ips ...netip.Addr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ip := range ips {
		delete(c.off, ip)
	}
	return nil
}

func (c *fakeCluster) Off(_ context.Context, ips ...netip.Addr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ip := range ips {
		c.off[ip] = true
	}
	return nil
}

func (c *fakeCluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *fakeCluster) Close(ctx context.Context) error {
	if c.closed++; c.closed == 1 {
		for _, f := range c.closer {
			f()
		}
	}
	return ctx.Err()
}

// fakeProxy answers connections to cluster IPs as an endpoint would.
type fakeProxy struct {
	cluster *fakeCluster
	listen  func(port int) (net.Listener, error)
	onStart func()
	rules   error // why they cannot be read
	// account is another account of its work than that of a proxy that has
	// synced.
	account func() (clusters.Syncs, error)
	syncs   atomic.Int64
}

func (p *fakeProxy) Start(ctx context.Context) (int64, error) {
	started := agent.Now()
	if p.onStart != nil {
		p.onStart()
	}
	p.syncs.Add(1)
	if p.listen == nil {
		return started, nil
	}
	names, err := p.names(ctx)
	if err != nil {
		return 0, err
	}
	for _, port := range []int{80, 1080} { // a Service may move from one to the other
		l, err := p.listen(port)
		if err != nil {
			return 0, err
		}
		p.cluster.closer = append(p.cluster.closer, func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go p.answer(conn, names)
			}
		}()
	}
	return started, nil
}

// names returns the name of the Service at each cluster IP.
func (p *fakeProxy) names(ctx context.Context) (map[string]string, error) {
	list, err := p.cluster.api.CoreV1().Services(population.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, s := range list.Items {
		names[s.Spec.ClusterIP] = s.Name
	}
	return names, nil
}

// answer answers as an endpoint of the Service would, or not at all if there is
// none.
func (p *fakeProxy) answer(conn net.Conn, names map[string]string) {
	defer conn.Close()
	pod, port := p.lookup(conn.LocalAddr().(*net.TCPAddr).AddrPort(), names)
	if !pod.IsValid() {
		_, _ = io.Copy(io.Discard, conn) // until the client gives up
		return
	}
	var question [1]byte
	if _, err := conn.Read(question[:]); err != nil {
		return // a connection that was only opened
	}
	if answer, err := identity.Encode(netip.AddrPortFrom(pod, port)); err == nil {
		_, _ = conn.Write(answer[:])
	}
}

// lookup finds an endpoint of the Service at an address; none if it has none, or
// one that does not answer.
func (p *fakeProxy) lookup(at netip.AddrPort, names map[string]string) (pod netip.Addr, port uint16) {
	ctx := context.Background()
	service, err := p.cluster.api.CoreV1().Services(population.Namespace).Get(ctx, names[at.Addr().String()], metav1.GetOptions{})
	if err != nil || service.Spec.Ports[0].Port != int32(at.Port()) {
		return pod, 0
	}
	slice, err := p.cluster.api.DiscoveryV1().EndpointSlices(population.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
	if err != nil {
		return pod, 0
	}
	ready := slices.DeleteFunc(slice.Endpoints, func(e discovery.Endpoint) bool { return !*e.Conditions.Ready })
	if len(ready) == 0 {
		return pod, 0
	}
	pod = netip.MustParseAddr(ready[rand.IntN(len(ready))].Addresses[0])
	p.cluster.mu.Lock()
	defer p.cluster.mu.Unlock()
	if p.cluster.off[pod] {
		return netip.Addr{}, 0
	}
	return pod, uint16(*slice.Ports[0].Port)
}

func (p *fakeProxy) Stop(context.Context) error { return nil }
func (p *fakeProxy) Config() string             { return "mode: " + string(p.cluster.config.Mode) }
func (p *fakeProxy) Notes() []string            { return []string{"a few lines of Go"} }

func (p *fakeProxy) Usage(context.Context) (clusters.Usage, error) {
	return clusters.Usage{CPU: time.Duration(p.syncs.Add(1)) * time.Second, MaxRSS: 42 << 20}, nil
}

// Rules has the Services backwards, and one of somebody else.
func (p *fakeProxy) Rules(ctx context.Context) (clusters.Rules, error) {
	if p.rules != nil {
		return clusters.Rules{}, p.rules
	}
	names, err := p.names(ctx)
	if err != nil {
		return clusters.Rules{}, err
	}
	order := []netip.Addr{netip.MustParseAddr("10.96.0.1")}
	for ip := range names {
		order = append(order, netip.MustParseAddr(ip))
	}
	slices.SortFunc(order, func(a, b netip.Addr) int { return b.Compare(a) })
	return clusters.Rules{Counts: map[string]int64{"count": int64(3 * len(order)), "chains": 7}, Order: order}, nil
}

func (p *fakeProxy) Syncs(context.Context) (clusters.Syncs, error) {
	if p.account != nil {
		return p.account()
	}
	return syncsAfter(p.syncs.Add(1)), nil
}

// syncsAfter is the account of a proxy after n syncs of half a second each.
func syncsAfter(n int64) clusters.Syncs {
	return clusters.Syncs{Count: uint64(n), Duration: time.Duration(n) * time.Second / 2}
}
