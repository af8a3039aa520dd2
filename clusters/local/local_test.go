package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/verify"
	"svcbench/internal/components"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// TestMain lets the test program be the agent, and the program that is killed.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "agent":
		os.Exit(beAgent(os.Args[2]))
	case len(os.Args) == 5 && os.Args[1] == "start-and-wait":
		os.Exit(startAndWait(os.Args[2], os.Args[3], scenarios.Mode(os.Args[4])))
	}
	os.Exit(m.Run())
}

func beAgent(name string) int {
	serve := map[string]func(context.Context, *agent.Conn) error{backend.Name: backend.Serve, verify.Name: verify.Serve}[name]
	c := agent.NewConn(os.Stdin, os.Stdout)
	if err := serve(context.Background(), c); err != nil {
		_ = c.Fail(err)
		return 1
	}
	return 0
}

// provider returns a Provider with real binaries, which are built if need be.
func provider(ctx context.Context, temp string) (*Provider, error) {
	dir, err := components.DefaultDir()
	if err != nil {
		return nil, err
	}
	paths, err := components.NewStore(dir).Ensure(ctx, Binaries(scenarios.Modes()...), func(components.Event) {})
	if err != nil {
		return nil, err
	}
	return New(Options{Binaries: paths, TempDir: temp}), nil
}

func newProvider(t *testing.T) (p *Provider, temp string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a local cluster needs root to make network namespaces")
	}
	temp = t.TempDir()
	p, err := provider(t.Context(), temp)
	if err != nil {
		t.Fatal(err)
	}
	return p, temp
}

const population = 20

func serviceIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 97, 0, byte(i + 1)}) }
func podIP(i int) netip.Addr     { return netip.AddrFrom4([4]byte{10, 130, 0, byte(i + 1)}) }

// populate writes Services with one endpoint each.
func populate(t *testing.T, api kubernetes.Interface) {
	t.Helper()
	for i := range population {
		name := fmt.Sprintf("service-%d", i)
		_, err := api.CoreV1().Services("default").Create(t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.ServiceSpec{ClusterIP: serviceIP(i).String(),
				Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(backend.DefaultPort)}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		port, noName := int32(backend.DefaultPort), ""
		_, err = api.DiscoveryV1().EndpointSlices("default").Create(t.Context(), &discovery.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discovery.LabelServiceName: name}},
			AddressType: discovery.AddressTypeIPv4,
			Ports:       []discovery.EndpointPort{{Name: &noName, Port: &port}},
			Endpoints:   []discovery.Endpoint{{Addresses: []string{podIP(i).String()}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// awaitServices returns when every Service leads to its endpoint.
func awaitServices(t *testing.T, c clusters.Cluster) {
	t.Helper()
	var spec verify.Spec
	for i := range population {
		spec.Targets = append(spec.Targets, verify.Target{ID: fmt.Sprint(i), Addr: netip.AddrPortFrom(serviceIP(i), 80), Want: []netip.Addr{podIP(i)}})
	}
	result, err := verify.Run(t.Context(), c.Place(clusters.AtClient), spec)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Converged() {
		t.Fatal(result.Reason())
	}
}

// mustRun skips a test where the mode does not run.
func mustRun(t *testing.T, p *Provider, mode scenarios.Mode) {
	t.Helper()
	support, err := p.Modes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range support {
		if s.Mode == mode && s.Answer != clusters.Yes {
			t.Skipf("%s does not run here, because %s", mode, s.Because)
		}
	}
}

// Every mode that can run leads traffic to the right endpoints, can be
// observed and restarted, and leaves the machine as it was.
func TestCluster(t *testing.T) {
	p, temp := newProvider(t)
	before := machineNow(t, temp)
	socket := scenarios.Settings{EBPF: scenarios.EBPFSettings{Datapath: scenarios.DatapathSocket}}
	for _, run := range []struct {
		name     string
		mode     scenarios.Mode
		settings scenarios.Settings
	}{
		{"iptables", scenarios.IPTables, scenarios.Settings{}},
		{"ipvs", scenarios.IPVS, scenarios.Settings{}},
		{"nftables", scenarios.NFTables, scenarios.Settings{}},
		{"ebpf-tc", scenarios.EBPF, scenarios.Settings{}},
		{"ebpf-socket", scenarios.EBPF, socket},
	} {
		t.Run(run.name, func(t *testing.T) {
			mustRun(t, p, run.mode)
			c, err := p.Start(t.Context(), clusters.Config{Name: "test", Mode: run.mode, Settings: run.settings, LogDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := errors.Join(c.Close(t.Context()), c.Close(t.Context())); err != nil {
					t.Error(err)
				}
				before.same(t, machineNow(t, temp))
			}()
			observe(t, c, run.mode)
		})
	}
}

// Clusters that begin with prepared API objects serve them, one after the
// other, and leave nothing behind; a preparation that fails leaves nothing.
func TestPrepare(t *testing.T) {
	p, temp := newProvider(t)
	before := machineNow(t, temp)
	config := clusters.Config{Name: "test", Mode: scenarios.NFTables, LogDir: t.TempDir()}
	refused := errors.New("nothing to write")
	_, err := p.Prepare(t.Context(), config, func(context.Context, kubernetes.Interface, clusters.Network) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
	before.same(t, machineNow(t, temp))

	kept, err := p.Prepare(t.Context(), config, func(_ context.Context, api kubernetes.Interface, _ clusters.Network) error {
		populate(t, api)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left := leftoversIn(t, temp); len(left) != 0 {
		t.Errorf("what is kept is taken for a leftover: %v", left)
	}
	exported := filepath.Join(t.TempDir(), "objects")
	if err := p.Export(t.Context(), kept, exported); err != nil {
		t.Fatal(err)
	}
	imported, err := p.Import(t.Context(), config, exported)
	if err != nil {
		t.Fatal(err)
	}
	for _, config.Prepared = range []clusters.Prepared{kept, kept, imported} {
		c, err := p.Start(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Proxy().Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		awaitServices(t, c)
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(kept.Close(), kept.Close(), imported.Close()); err != nil {
		t.Fatal(err)
	}
	before.same(t, machineNow(t, temp))
	if _, err := os.Stat(exported); err != nil {
		t.Errorf("what was exported is gone: %v", err)
	}
}

func observe(t *testing.T, c clusters.Cluster, mode scenarios.Mode) {
	populate(t, c.API())
	if _, err := c.Proxy().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitServices(t, c)
	if _, err := c.Proxy().Start(t.Context()); err == nil {
		t.Error("no error when the proxy is started twice")
	}
	rules, err := c.Proxy().Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rules.Counts["count"] < population {
		t.Errorf("%d rules for %d Services", rules.Counts["count"], population)
	}
	if mode == scenarios.IPTables && len(rules.Order) < population {
		t.Errorf("order of %d Services of %d", len(rules.Order), population)
	}
	usage, err := c.Proxy().Usage(t.Context())
	if err != nil || usage.CPU <= 0 || usage.MaxRSS <= 0 {
		t.Errorf("usage %+v, %v", usage, err)
	}
	if _, err := c.Proxy().Syncs(t.Context()); err != nil { // the first may be still under way
		t.Error(err)
	}
	set := "mode: " + string(mode)
	if mode == scenarios.EBPF {
		set = "--kube-proxy-replacement=true"
	}
	if !strings.Contains(c.Proxy().Config(), set) {
		t.Errorf("configuration without %q:\n%s", set, c.Proxy().Config())
	}
	if err := c.Proxy().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err := c.Proxy().Rules(t.Context()); err != nil || after.Counts["count"] < population {
		t.Errorf("of a proxy that was stopped: %d rules, %v", after.Counts["count"], err)
	}
	if _, err := c.Proxy().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitServices(t, c)
	disturb(t, c)
	select {
	case <-c.Died():
		t.Error(c.Err())
	default:
	}
}

// disturb freezes the proxy and restarts the API server: the cluster lives on, and
// what is written afterwards is obeyed.
func disturb(t *testing.T, c clusters.Cluster) {
	t.Helper()
	freezer := c.Proxy().(clusters.Freezable)
	if err := freezer.Freeze(true); err != nil {
		t.Fatal(err)
	}
	pid := c.(*cluster).proxy.current().PID()
	if state := stateOf(t, pid); state != "T" {
		t.Errorf("a frozen proxy is in state %s", state)
	}
	if err := freezer.Freeze(false); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, pid); state == "T" {
		t.Error("the proxy is frozen for ever")
	}
	// The tests of others share its kernel, and not its table of connections.
	if n, err := c.(clusters.Tracking).Dropped(); err != nil || n > 100 {
		t.Errorf("%d connections dropped, %v", n, err)
	}
	if owner := c.(clusters.Owner); !owner.Owns(pid) || owner.Owns(1) && os.Getpid() != 1 {
		t.Error("the cluster does not know its processes")
	}
	before := agent.Now()
	ready, err := c.(clusters.Restartable).RestartAPI(t.Context())
	if err != nil || ready < before {
		t.Fatalf("the API server is ready at %d, asked at %d: %v", ready, before, err)
	}
	list, err := c.API().CoreV1().Services("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) < population {
		t.Errorf("%d Services after a restart, %v", len(list.Items), err)
	}
}

// stateOf is the state of a process, see proc(5).
func stateOf(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[0]
}

// When a part ends by itself, the cluster says which one and why.
func TestDeath(t *testing.T) {
	p, _ := newProvider(t)
	for _, victim := range []string{"kube-proxy", "kube-apiserver", "etcd"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			started, err := p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer started.Close(t.Context())
			if _, err := started.Proxy().Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			c := started.(*cluster)
			pid := map[string]int{"kube-proxy": c.proxy.current().PID(), "kube-apiserver": c.apiserver.PID(), "etcd": c.etcd.PID()}[victim]
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-c.Died()
			if err := c.Err(); err == nil || !strings.HasPrefix(err.Error(), victim+" ended") {
				t.Errorf("cluster died of %v, want %s", err, victim)
			}
		})
	}
}

// Only who knows the cluster's authority is let in, and only from inside: the
// machine gets no link and no route that could lead to the API server.
func TestControlPlaneIsPrivate(t *testing.T) {
	p, temp := newProvider(t)
	before := machineNow(t, temp)
	started, err := p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close(t.Context())
	if diff := cmp.Diff(before.Links, machineNow(t, temp).Links); diff != "" {
		t.Errorf("links and routes of the machine have changed (-before +after):\n%s", diff)
	}
	c := started.(*cluster)
	for _, file := range []string{c.credentials.tokenFile, c.credentials.keyFile, c.kubeconfig()} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(file), info.Mode())
		}
	}
	authority := x509.NewCertPool()
	authority.AppendCertsFromPEM(c.credentials.caPEM)
	for name, test := range map[string]struct {
		trust *x509.CertPool
		token string
		want  string
	}{
		"unknown authority": {x509.NewCertPool(), c.credentials.token, "unknown authority"},
		"wrong token":       {authority, "guess", "401 Unauthorized"},
		"both known":        {authority, c.credentials.token, "200 OK"},
	} {
		if got := askReady(t, c, test.trust, test.token); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// askReady asks the API server from inside the node's namespace whether it is
// ready, and returns the status or the error.
func askReady(t *testing.T, c *cluster, trust *x509.CertPool, token string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+controlAddr.Addr().String()+":"+apiPort+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{
		DialContext: c.network.node.DialContext, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: trust},
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err.Error()
	}
	response.Body.Close()
	return response.Status
}

// A cluster that cannot start says why and leaves nothing.
func TestStartFails(t *testing.T) {
	p, temp := newProvider(t)
	before := machineNow(t, temp)
	broken := filepath.Join(t.TempDir(), "kube-apiserver")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no licence >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := p.options.Binaries[apiserverBinary]
	p.options.Binaries[apiserverBinary] = broken
	_, err := p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("got %v, want the last words of the API server", err)
	}
	p.options.Binaries[apiserverBinary] = good
	p.options.TempDir = filepath.Join(temp, "missing")
	_, err = p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if failure.CodeOf(err) != failure.Environment || !strings.Contains(failure.HintOf(err), "TMPDIR") {
		t.Errorf("without a folder for temporary files: %v, next: %s", err, failure.HintOf(err))
	}
	p.options.TempDir = small(t)
	_, err = p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if failure.CodeOf(err) != failure.Environment || !strings.Contains(fmt.Sprint(err), "is full") {
		t.Errorf("on a full disk: %v", err)
	}
	p.options.TempDir = temp
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Start(ctx, clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled start: %v", err)
	}
	before.same(t, machineNow(t, temp))
}
