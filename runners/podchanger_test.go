package runners

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// TestPodCommand checks whose answers mean what while a change is watched.
func TestPodCommand(t *testing.T) {
	a, b := seenPod{name: "a", ip: netip.MustParseAddr("10.145.0.1")}, seenPod{name: "b", ip: netip.MustParseAddr("10.145.0.2")}
	ips := func(pods ...seenPod) []netip.Addr { return addresses(pods) }
	c := &podChanger{f: &inFlight{trial: Trial{scenario: &scenarios.Scenario{Churn: &scenarios.Churn{}}}}}
	for _, test := range []struct {
		what string
		pods []seenPod
		move move
		want watch.Command // New, Old, Stay and AnyNew
	}{
		{"replaced", []seenPod{a}, move{comes: true, leave: []seenPod{a}, ends: true}, watch.Command{Old: ips(a), AnyNew: true}},
		{"one more", []seenPod{a}, move{comes: true}, watch.Command{Stay: ips(a), AnyNew: true}},
		{"one less", []seenPod{a, b}, move{leave: []seenPod{a}, ends: true}, watch.Command{Old: ips(a), Stay: ips(b)}},
		{"not ready", []seenPod{a}, move{leave: []seenPod{a}}, watch.Command{Old: ips(a)}},
		{"ready again", []seenPod{a}, move{comes: true, back: &a}, watch.Command{New: ips(a)}},
	} {
		got := c.command(1, &podded{pods: test.pods}, test.move)
		got = watch.Command{New: got.New, Old: got.Old, Stay: got.Stay, AnyNew: got.AnyNew}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.what, got, test.want)
		}
	}
}

// TestComplete checks which pods a Service has after a change, and the times that
// the change gets.
func TestComplete(t *testing.T) {
	seen := func(name string, ready, sliced turn, deleted bool) *seenPod {
		return &seenPod{name: name, service: "s", ready: ready, sliced: sliced, deleted: deleted}
	}
	on, off := func(at int64) turn { return turn{true, at} }, func(at int64) turn { return turn{false, at} }
	a := seenPod{name: "a", service: "s", ready: on(1), sliced: on(2)}
	b := seenPod{name: "b", service: "s", ready: on(3), sliced: on(4)}
	resting := seenPod{name: "a", service: "s", ready: off(1), sliced: off(2)}
	for _, test := range []struct {
		what string
		pods []seenPod
		now  []*seenPod // what the API server tells after the write
		move move
		left string // names, and whether ready
		want results.Change
		from netip.Addr // who answered first
	}{
		{
			"replaced", []seenPod{a}, []*seenPod{seen("a", off(12), off(13), true), seen("b", on(10), on(11), false)},
			move{comes: true, leave: []seenPod{a}, ends: true}, "[b true]", results.Change{Ready: 10, Sliced: 11, Unready: 12, Unsliced: 13}, netip.Addr{},
		},
		{
			"one of two", []seenPod{a, b}, []*seenPod{seen("a", off(10), off(11), true), seen("b", on(3), on(4), false)},
			move{leave: []seenPod{a}, ends: true}, "[b true]", results.Change{Unready: 10, Unsliced: 11}, netip.Addr{},
		},
		{
			"the wrong one of two", []seenPod{a, b}, []*seenPod{seen("a", on(1), on(2), false), seen("b", off(10), off(11), true)},
			move{leave: []seenPod{a}, ends: true}, "[a true]",
			results.Change{Unready: 10, Unsliced: 11, Error: "another pod went than the one that was to"}, netip.Addr{},
		},
		{
			"a stranger answers", []seenPod{a}, []*seenPod{seen("a", on(1), on(2), false), seen("b", on(10), on(11), false)},
			move{comes: true}, "[a true b true]",
			results.Change{Ready: 10, Sliced: 11, Error: "10.145.0.9 answered, and the new pod has invalid IP"}, netip.MustParseAddr("10.145.0.9"),
		},
		{
			"one more", []seenPod{a}, []*seenPod{seen("a", on(1), on(2), false), seen("b", on(10), on(11), false)},
			move{comes: true}, "[a true b true]", results.Change{Ready: 10, Sliced: 11}, netip.Addr{},
		},
		{
			"not ready", []seenPod{a}, []*seenPod{seen("a", off(10), off(11), false)},
			move{leave: []seenPod{a}}, "[a false]", results.Change{Unready: 10, Unsliced: 11}, netip.Addr{},
		},
		{
			"ready again", []seenPod{resting}, []*seenPod{seen("a", on(10), on(11), false)},
			move{comes: true, back: &resting}, "[a true]", results.Change{Ready: 10, Sliced: 11}, netip.Addr{},
		},
	} {
		t.Run(test.what, func(t *testing.T) {
			c := &podChanger{track: tracked()}
			for _, p := range test.now {
				c.track.seen[p.name] = p
			}
			p := &podded{name: "s", pods: test.pods}
			var change results.Change
			if err := c.complete(t.Context(), &change, test.from, p, test.move); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, pod := range p.pods {
				left = append(left, fmt.Sprint(pod.name, " ", pod.ready.on))
			}
			if got := fmt.Sprint(left); got != test.left {
				t.Errorf("it has %s, want %s", got, test.left)
			}
			if !reflect.DeepEqual(change, test.want) {
				t.Errorf("change %+v, want %+v", change, test.want)
			}
		})
	}
}
