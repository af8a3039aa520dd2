package kind

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svcbench/clusters"
	"svcbench/internal/agent/verify"
	"svcbench/internal/components"
	"svcbench/internal/nodeimage"
	"svcbench/scenarios"
)

// imageVariable names an image of nodes for the tests. Without it they use any
// that was assembled here.
const imageVariable = "SVCBENCH_NODE_IMAGE"

// testEngine returns a container engine with an image of nodes.
func testEngine(t *testing.T) (engine, string) {
	t.Helper()
	e, err := findEngine(t.Context())
	if err != nil {
		t.Skipf("no kind clusters here: %v", err)
	}
	if image := os.Getenv(imageVariable); image != "" {
		return e, image
	}
	out, err := e.run(t.Context(), "images", "--format={{.Repository}}:{{.Tag}}", "svcbench/node")
	if err != nil || firstLine(out) == "" {
		t.Skipf("%s has no image of nodes (`svcbench components node-image`, or $%s): %v", e.name, imageVariable, err)
	}
	return e, firstLine(out)
}

// program builds the program that runs in pods.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "svcbench")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", file, "svcbench/cmd/svcbench")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build svcbench: %v: %s", err, out)
	}
	return file
}

// inventory is everything an engine has that a cluster could leave behind.
func inventory(t *testing.T, e engine) string {
	t.Helper()
	var all string
	for _, args := range [][]string{{"ps", "--all", "--quiet"}, {"network", "ls", "--quiet"}, {"volume", "ls", "--quiet"}} {
		out, err := e.run(context.Background(), args...)
		if err != nil {
			t.Fatal(err)
		}
		all += string(out) + "\n"
	}
	return all
}

// testCilium returns an image of Cilium that was assembled here, with its chart.
func testCilium(t *testing.T) *Cilium {
	dir, err := components.DefaultDir()
	if err != nil {
		t.Skipf("no Cilium here: %v", err)
	}
	all, err := components.NewStore(dir).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "images", "cilium-*.tar"))
	if err != nil || len(found) == 0 {
		t.Skipf("no image of Cilium here (`svcbench components node-image`): %v", err)
	}
	tag := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "cilium-"), ".tar")
	for _, s := range all {
		if s.Name == components.CiliumChart && s.State == components.Ready {
			return &Cilium{
				Chart: components.Beside(s.Path, components.Chart), CRDs: components.Beside(s.Path, components.CRDs),
				Image: "svcbench/cilium:" + tag, Archive: found[0], Version: s.Version,
			}
		}
	}
	t.Skip("no chart of Cilium here (`svcbench components node-image`)")
	return nil
}

func TestCluster(t *testing.T) {
	testEngine(t)
	t.Run("nftables", func(t *testing.T) { testCluster(t, scenarios.NFTables, nil) })
	t.Run("ebpf", func(t *testing.T) { testCluster(t, scenarios.EBPF, testCilium(t)) })
}

// testCluster brings up a cluster, uses it and removes it, and finds the engine as
// it was.
func testCluster(t *testing.T, mode scenarios.Mode, cilium *Cilium) {
	e, image := testEngine(t)
	before := inventory(t, e)
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nobody-writes-this"))
	agent := program(t)
	agents, err := nodeimage.BuildAgents(t.Context(), nodeimage.Options{Dir: t.TempDir()}, agent)
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Image: image, Workers: 1, Agent: agent, Agents: agents, Cilium: cilium})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c, err := p.Start(ctx, clusters.Config{
		Name: "test", Mode: mode, Settings: scenarios.Settings{Proxy: scenarios.Proxy{Verbosity: 2}},
		Size: clusters.Size{ClusterIPs: 20, Endpoints: 40}, Ports: []uint16{8080}, LogDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Services", func(t *testing.T) { testServices(ctx, t, c) })
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
	if after := inventory(t, e); after != before {
		t.Errorf("the engine had\n%s and has\n%s", before, after)
	}
	if _, err := os.Stat(os.Getenv("KUBECONFIG")); err == nil {
		t.Error("the user's kubeconfig was written")
	}
}

// testServices starts the proxy, and reaches the endpoints of a Service and no
// others through it.
func testServices(ctx context.Context, t *testing.T, c clusters.Cluster) {
	t.Helper()
	n := c.Network()
	pods := []netip.Addr{n.Pods.Addr().Next(), n.Pods.Addr().Next().Next()}
	service := makeService(ctx, t, c, pods)
	if _, err := c.Proxy().Start(ctx); err != nil {
		t.Fatal(err)
	}
	spec := verify.Spec{Timeout: time.Minute, Targets: []verify.Target{{ID: "service", Addr: netip.AddrPortFrom(service, 80), Want: pods}}}
	result, err := verify.Run(ctx, c.Place(clusters.AtClient), spec)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Converged() {
		t.Error(result.Reason())
	}
	if rules, err := c.Proxy().Rules(ctx); err != nil || rules.Counts["count"] == 0 {
		t.Errorf("rules %+v, %v", rules.Counts, err)
	}
	if used, err := c.Proxy().Usage(ctx); err != nil || used.CPU == 0 || used.MaxRSS == 0 {
		t.Errorf("usage %+v, %v", used, err)
	}
	if syncs, err := c.Proxy().Syncs(ctx); err != nil || syncs.Count == 0 {
		t.Errorf("syncs %+v, %v", syncs, err)
	}
	// The end of the proxy is no death of the cluster, and it can be started again.
	if err := c.Proxy().Stop(ctx); err != nil || c.Err() != nil {
		t.Errorf("stop: %v; the cluster died: %v", err, c.Err())
	}
	if _, err := c.Proxy().Start(ctx); err != nil {
		t.Error(err)
	}
}

// makeService makes a Service with these endpoints.
func makeService(ctx context.Context, t *testing.T, c clusters.Cluster, pods []netip.Addr) netip.Addr {
	t.Helper()
	made, err := c.API().CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "test"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	port, name, ready := int32(8080), "", true
	slice := &discovery.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "test", Labels: map[string]string{discovery.LabelServiceName: "test"}},
		AddressType: discovery.AddressTypeIPv4, Ports: []discovery.EndpointPort{{Name: &name, Port: &port}},
	}
	for _, ip := range pods {
		slice.Endpoints = append(slice.Endpoints, discovery.Endpoint{
			Addresses: []string{ip.String()}, Conditions: discovery.EndpointConditions{Ready: &ready},
		})
	}
	if _, err := c.API().DiscoveryV1().EndpointSlices("default").Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddr(made.Spec.ClusterIP)
}

func TestCancelledCluster(t *testing.T) {
	e, image := testEngine(t)
	before := inventory(t, e)
	p := New(Options{Image: image, Workers: 1, Agent: os.Args[0]})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if c, err := p.Start(ctx, clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()}); err == nil {
		t.Error("it was not cancelled", c.Close(t.Context()))
	}
	if after := inventory(t, e); after != before {
		t.Errorf("the engine had\n%s and has\n%s", before, after)
	}
}
