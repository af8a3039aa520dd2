package runners

import (
	"net/netip"
	"testing"

	"svcbench/clusters"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/churn"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// A write that fails leaves its Service in doubt: it is verified no more. Too
// many of them are the end of the measurement.
func TestChangesInDoubt(t *testing.T) {
	network := clusters.Network{Services: netip.MustParsePrefix("10.96.0.0/16"), Pods: netip.MustParsePrefix("10.244.0.0/16")}
	p, err := population.New(network, scenarios.Point{Services: 10, Endpoints: 1}, scenarios.Population{Ports: 1}, 20)
	if err != nil {
		t.Fatal(err)
	}
	f := &inFlight{population: p, changed: map[int]churn.Service{}}
	e := &churner{
		f: f, plan: make([]churn.Change, 20), now: map[int]churn.Service{},
		pools: []*pool{{kind: churn.Kind{Writes: 1}, size: 10, left: 10, idle: make(chan []*changed, 10)}},
	}
	doubt := func(i int) error {
		return e.doubt(e.pools[0], &oneMove{service: &changed{Service: churn.First(p, i)}, change: results.Change{ID: i + 1, Error: "conflict"}}, nil)
	}
	for i := range 2 {
		if err := doubt(i); err != nil {
			t.Errorf("%d of 20 writes failed: %v", i+1, err)
		}
	}
	if err := doubt(2); err == nil {
		t.Error("3 of 20 writes failed without an error")
	}
	few := &pool{left: 1}
	e.doubts = 0
	if err := e.doubt(few, &oneMove{service: &changed{Service: churn.First(p, 2)}, change: results.Change{Error: "conflict"}}, nil); err == nil {
		t.Error("the last Service of a kind is in doubt without an error")
	}
	e.made = e.made[:3]
	if made := e.changes(); len(made) != 3 {
		t.Errorf("%d changes recorded, want 3", len(made))
	}
	if targets := f.serviceTargets([]int{0, 1, 2, 3}); len(targets) != 1 || targets[0].ID != p.Name(3) {
		t.Errorf("verified are %+v, want only the Service that nobody doubts", targets)
	}
}

// As many of a group are watched as can be, and not just its first.
func TestOneOf(t *testing.T) {
	for _, group := range []int{1, 6, 7, 100, 1000} {
		var watched []int
		for n := range group {
			if oneOf(n, group) {
				watched = append(watched, n)
			}
		}
		if len(watched) != min(group, watchedAtOnce) || watched[len(watched)-1] != group-1 {
			t.Errorf("of %d are watched %v", group, watched)
		}
	}
}

func TestRingBytes(t *testing.T) {
	for connections, want := range map[int]int{0: 8 << 20, 10_000: 8 << 20, 300_000: 16 << 20, 4_000_000: 128 << 20, 100_000_000: 1 << 30} {
		if got := ringBytes(connections); got != want {
			t.Errorf("%d connections: %d bytes, want %d", connections, got, want)
		}
	}
}

// TestObserve checks which outcomes are effects of a change.
func TestObserve(t *testing.T) {
	const ms = 1_000_000
	for _, test := range []struct {
		what string
		seen watch.Seen
		fine bool
	}{
		{"after the write", watch.Seen{FirstNew: 1001 * ms, LastOld: 1000 * ms, OldSettled: 1101 * ms}, true},
		{"by one who had asked before", watch.Seen{FirstNew: 990 * ms, OldSettled: 1090 * ms}, true},
		{"not at all", watch.Seen{GaveUp: 9000 * ms}, true},
		{"long before", watch.Seen{FirstNew: 790 * ms, OldSettled: 790 * ms}, false},
		{"left before", watch.Seen{LastOld: 800 * ms, OldSettled: 900 * ms}, false},
	} {
		seen := make(chan watch.Seen, 1)
		seen <- test.seen
		change := results.Change{Sent: 1000 * ms}
		if _, err := observe(t.Context(), &change, nil, seen); err != nil {
			t.Fatal(err)
		}
		if (change.Error == "") != test.fine || change.FirstNew != test.seen.FirstNew || change.LastOld != 0 && change.LastOld < change.Sent {
			t.Errorf("%s: %+v", test.what, change)
		}
	}
}
