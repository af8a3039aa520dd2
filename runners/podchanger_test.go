package runners

import (
	"net/netip"
	"reflect"
	"testing"

	"svcbench/internal/agent/watch"
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
