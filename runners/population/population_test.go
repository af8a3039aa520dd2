package population

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

var network = clusters.Network{
	Services: netip.MustParsePrefix("10.96.0.0/12"),
	Pods:     netip.MustParsePrefix("10.244.0.0/16"),
	Node:     "node-1",
	NodeAddr: netip.MustParseAddr("172.31.0.2"),
}

func mustNew(t *testing.T, services, endpoints, ports, spare int) *Population {
	t.Helper()
	p, err := New(network, scenarios.Point{Services: services, Endpoints: endpoints}, scenarios.Population{Ports: ports, Protocol: scenarios.TCP}, spare)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAddresses(t *testing.T) {
	p := mustNew(t, 1000, 2, 2, 10)
	if got, want := p.Addr(0).String(), "10.96.1.0:80"; got != want {
		t.Errorf("first Service at %s, want %s", got, want)
	}
	if got, want := p.LastAddr(999).String(), "10.96.4.231:81"; got != want {
		t.Errorf("last Service at %s, want %s", got, want)
	}
	if got, want := p.PodAddr(p.PodIPs(1)[1]).String(), "10.244.1.3:8080"; got != want {
		t.Errorf("second pod of the second Service at %s, want %s", got, want)
	}
	// No pod is in two places, those for changes included.
	owner := map[netip.Addr]bool{}
	for i := range 1000 {
		for _, ip := range p.PodIPs(i) {
			if owner[ip] {
				t.Fatalf("pod %v of Service %d has another owner", ip, i)
			}
			owner[ip] = true
		}
	}
	for n := range 10 {
		for _, ip := range p.Spare(n) {
			if owner[ip] || !p.IsPod(ip) {
				t.Fatalf("spare pod %v is in use or outside the range", ip)
			}
			owner[ip] = true
		}
	}
}

func TestIndex(t *testing.T) {
	p := mustNew(t, 1000, 2, 1, 0)
	for _, i := range []int{0, 1, 255, 256, 999} {
		if got, ok := p.Index(p.ClusterIP(i)); !ok || got != i {
			t.Errorf("Index(ClusterIP(%d)) = %d, %v", i, got, ok)
		}
	}
	for _, ip := range []string{"10.96.0.1", "10.96.0.10", "10.96.0.255", "10.96.4.232", "10.244.1.0", "9.9.9.9", "255.255.255.255"} {
		if i, ok := p.Index(netip.MustParseAddr(ip)); ok {
			t.Errorf("%s is taken for Service %d", ip, i)
		}
	}
}

func TestTooLargeForNetwork(t *testing.T) {
	small := network
	small.Services = netip.MustParsePrefix("10.96.0.0/22") // 1024 - 256 - 1
	for _, c := range []struct {
		name                       string
		services, endpoints, spare int
		fits                       bool
	}{
		{"just enough Services", 765, 2, 0, true}, // and the empty ones
		{"one Service more", 766, 2, 0, false},
		{"just enough pods", 100, 2, 65279 - 200, true},
		{"no pod for a change", 100, 2, 65279 - 199, false},
	} {
		_, err := New(small, scenarios.Point{Services: c.services, Endpoints: c.endpoints}, scenarios.Population{Ports: 1}, c.spare)
		if (err == nil) != c.fits {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && failure.CodeOf(err) != failure.Usage {
			t.Errorf("%s: exit code %d", c.name, failure.CodeOf(err))
		}
	}
}

func TestWrite(t *testing.T) {
	ctx := t.Context()
	p := mustNew(t, 100, 3, 2, 0)
	api := fake.NewClientset()
	var steps atomic.Int64
	if err := p.Write(ctx, api, func(int) { steps.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if int(steps.Load()) != p.Objects() {
		t.Errorf("%d steps for %d objects", steps.Load(), p.Objects())
	}
	services, err := api.CoreV1().Services(Namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(services.Items) != 100+EmptyServices {
		t.Fatalf("%d Services, %v", len(services.Items), err)
	}
	s, err := api.DiscoveryV1().EndpointSlices(Namespace).Get(ctx, "svc-00099", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Labels["kubernetes.io/service-name"]; got != "svc-00099" {
		t.Errorf("slice belongs to Service %q", got)
	}
	if len(s.Endpoints) != 3 || s.Endpoints[0].Addresses[0] != "10.244.2.41" || !*s.Endpoints[0].Conditions.Ready || *s.Endpoints[0].NodeName != "node-1" {
		t.Errorf("endpoints %+v", s.Endpoints)
	}
	if len(s.Ports) != 2 || *s.Ports[1].Port != 8081 || *s.Ports[1].Name != services.Items[0].Spec.Ports[1].Name {
		t.Errorf("ports %+v", s.Ports)
	}
}

// A hiccup of the API server is retried, also when it had done the work.
func TestWriteRetries(t *testing.T) {
	p := mustNew(t, 3, 1, 1, 0)
	api := fake.NewClientset()
	var failures atomic.Int64
	api.PrependReactor("create", "services", func(a ktesting.Action) (bool, runtime.Object, error) {
		object := a.(ktesting.CreateAction).GetObject().(*corev1.Service)
		if object.Name != "svc-00001" || failures.Add(1) > 1 {
			return false, nil, nil
		}
		if err := api.Tracker().Add(object); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewTimeoutError("too slow", 0)
	})
	if err := p.Write(t.Context(), api, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if failures.Load() != 2 {
		t.Errorf("%d attempts, want 2", failures.Load())
	}
}

func TestWriteFails(t *testing.T) {
	p := mustNew(t, 3, 1, 1, 0)
	t.Run("refused", func(t *testing.T) {
		api := fake.NewClientset()
		api.PrependReactor("create", "endpointslices", func(ktesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewBadRequest("no such thing")
		})
		err := p.Write(t.Context(), api, func(int) {})
		if !apierrors.IsBadRequest(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("the API server has ended")
		api := fake.NewClientset()
		api.PrependReactor("create", "services", func(ktesting.Action) (bool, runtime.Object, error) {
			cancel(reason)
			return true, nil, apierrors.NewServiceUnavailable("gone")
		})
		if err := p.Write(ctx, api, func(int) {}); !errors.Is(err, reason) {
			t.Errorf("got %v, want %v", err, reason)
		}
	})
	t.Run("another cluster IP", func(t *testing.T) {
		api := fake.NewClientset()
		api.PrependReactor("create", "services", func(a ktesting.Action) (bool, runtime.Object, error) {
			s := a.(ktesting.CreateAction).GetObject().(*corev1.Service).DeepCopy()
			s.Spec.ClusterIP = "10.111.1.1"
			return true, s, nil
		})
		if err := p.Write(t.Context(), api, func(int) {}); err == nil {
			t.Error("no error")
		}
	})
}

// Services with node ports are reached at the node, and the same port is never
// given to two of them.
func TestNodePorts(t *testing.T) {
	kind := scenarios.Population{Ports: 2, Protocol: scenarios.UDP, Type: scenarios.NodePort}
	p, err := New(network, scenarios.Point{Services: 1384, Endpoints: 3}, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Addr(0).String()+" "+p.LastAddr(1383).String(), "172.31.0.2:30000 172.31.0.2:32767"; got != want {
		t.Errorf("Services at %s, want %s", got, want)
	}
	owner := map[int32]string{}
	for i := range p.Services() {
		s := p.Service(i)
		if s.Spec.Type != corev1.ServiceTypeNodePort || s.Spec.ClusterIP != p.ClusterIP(i).String() {
			t.Fatalf("Service %+v", s.Spec)
		}
		for _, port := range s.Spec.Ports {
			if other, taken := owner[port.NodePort]; taken {
				t.Fatalf("%s and %s have node port %d", other, s.Name, port.NodePort)
			}
			owner[port.NodePort] = s.Name
			if port.Protocol != corev1.ProtocolUDP {
				t.Fatalf("protocol %s", port.Protocol)
			}
		}
		if first := s.Spec.Ports[0].NodePort; first != int32(p.Addr(i).Port()) {
			t.Fatalf("%s is reached at %v but has node port %d", s.Name, p.Addr(i), first)
		}
	}
	if got := *p.EndpointSlice(0, Endpoints{}).Ports[1].Protocol; got != corev1.ProtocolUDP {
		t.Errorf("endpoints of protocol %s", got)
	}
	_, err = New(network, scenarios.Point{Services: 1385, Endpoints: 1}, kind, 0)
	if failure.CodeOf(err) != failure.Usage {
		t.Errorf("more ports than node ports: %v", err)
	}
}

// The pod that answers tells which of the Services at one address was asked.
func TestAsked(t *testing.T) {
	clusterIPs := mustNew(t, 100, 2, 1, 0)
	nodePorts, err := New(network, scenarios.Point{Services: 100, Endpoints: 2}, scenarios.Population{Ports: 1, Type: scenarios.NodePort}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Population{clusterIPs, nodePorts} {
		for i := range p.Services() {
			for _, pod := range p.PodIPs(i) {
				if got, ok := p.Asked(p.Addr(i).Addr(), pod); !ok || got != i {
					t.Fatalf("a connection to %v that reached %v is for Service %d, %v; want %d", p.Addr(i), pod, got, ok, i)
				}
			}
		}
		pod := p.PodIPs(7)[0]
		for _, c := range [][2]netip.Addr{
			{pod, pod},                              // without a Service
			{netip.MustParseAddr("10.96.0.1"), pod}, // somebody else's
			{network.NodeAddr, netip.MustParseAddr("172.31.0.1")}, // the node's own
			{network.NodeAddr, p.Spare(0)[0]},
		} {
			if i, ok := p.Asked(c[0], c[1]); ok {
				t.Errorf("a connection to %v that reached %v is taken for one to Service %d", c[0], c[1], i)
			}
		}
	}
}
