package churn

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"svcbench/clusters"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

func somePopulation(t *testing.T) *population.Population {
	t.Helper()
	network := clusters.Network{Services: netip.MustParsePrefix("10.96.0.0/16"), Pods: netip.MustParsePrefix("10.244.0.0/16"), Node: "node"}
	p, err := population.New(network, scenarios.Point{Services: 3, Endpoints: 2}, scenarios.Population{Ports: 1}, 100)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMoves makes every kind of change four times in a row, and checks each against
// the API and against what it says of itself.
func TestMoves(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(string(kind.Name), func(t *testing.T) {
			p := somePopulation(t)
			api := fake.NewClientset()
			if err := p.Write(t.Context(), api, func(int) {}); err != nil {
				t.Fatal(err)
			}
			c := &scenarios.Churn{Grace: scenarios.Duration(time.Second)}
			s := First(p, 1)
			for n := range 4 {
				fresh := p.Spare(n)
				moves := kind.Moves(p, c, s, fresh)
				if len(moves) != kind.Writes {
					t.Fatalf("%d writes, want %d", len(moves), kind.Writes)
				}
				for _, m := range moves {
					check(t, m, s)
					if err := m.Write(t.Context(), api); err != nil {
						t.Fatalf("%s: %v", m.Kind, err)
					}
					s = m.After
					if !kind.Silences && !s.Answers() {
						t.Errorf("%s leaves nobody who answers", m.Kind)
					}
					same(t, api, p, m)
				}
			}
		})
	}
}

// check compares what a move says of itself with the Service before it.
func check(t *testing.T, m Move, before Service) {
	t.Helper()
	if m.From != before.Addr || m.To != m.After.Addr && !m.After.Deleted {
		t.Errorf("%s: from %v to %v, of a Service at %v and then %v", m.Kind, m.From, m.To, before.Addr, m.After.Addr)
	}
	served := func(s Service) []netip.Addr {
		if s.Deleted {
			return nil
		}
		return sorted(s.Endpoints)
	}
	if old := sorted(slices.Concat(m.Old, m.Stay)); !slices.Equal(old, served(before)) {
		t.Errorf("%s: %v and %v answered before, of %v", m.Kind, m.Old, m.Stay, before.Endpoints)
	}
	if after := sorted(slices.Concat(m.New, m.Stay)); !slices.Equal(after, served(m.After)) {
		t.Errorf("%s: %v and %v answer after, of %v", m.Kind, m.New, m.Stay, m.After.Endpoints)
	}
	if m.Silent() && m.Kind != "pods-ended" {
		t.Errorf("%s changes nothing", m.Kind)
	}
}

func sorted(ips []netip.Addr) []netip.Addr {
	return slices.SortedFunc(slices.Values(ips), netip.Addr.Compare)
}

// same compares the API with what the Service should be after a move.
func same(t *testing.T, api *fake.Clientset, p *population.Population, m Move) {
	t.Helper()
	name := p.Name(m.After.Index)
	service, err := api.CoreV1().Services(population.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if (err != nil) != m.After.Deleted {
		t.Fatalf("%s: %v", m.Kind, err)
	}
	if err == nil && service.Spec.Ports[0].Port != int32(m.After.Addr.Port()) {
		t.Errorf("%s: port %d, want %v", m.Kind, service.Spec.Ports[0].Port, m.After.Addr)
	}
	slice, err := api.DiscoveryV1().EndpointSlices(population.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ready []netip.Addr
	for _, e := range slice.Endpoints {
		if *e.Conditions.Ready {
			ready = append(ready, netip.MustParseAddr(e.Addresses[0]))
		}
	}
	if !slices.Equal(sorted(ready), sorted(m.After.Endpoints)) {
		t.Errorf("%s: ready are %v, want %v", m.Kind, ready, m.After.Endpoints)
	}
}

// Every kind of a scenario that needs no pods is known here, and no other.
func TestEveryKindIsKnown(t *testing.T) {
	for _, name := range scenarios.ChurnKinds() {
		s := &scenarios.Scenario{Churn: &scenarios.Churn{Kinds: []scenarios.ChurnKind{name}}}
		if _, err := Of(name); (err == nil) != (s.PodNodes() == 0) {
			t.Errorf("%s: %v, and it needs %d nodes for pods", name, err, s.PodNodes())
		}
	}
}
