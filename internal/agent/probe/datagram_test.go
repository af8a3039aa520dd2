package probe_test

import (
	"net/netip"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/identity"
	"svcbench/internal/agent/probe"
)

func TestOutcomesOverUDP(t *testing.T) {
	pod := netip.MustParseAddrPort("10.244.0.1:8080")
	other := netip.MustParseAddrPort("10.244.0.2:8080")
	for _, test := range []struct {
		name string
		addr netip.AddrPort
		want string
	}{
		{"answered", agenttest.ServiceUDP(t, func() netip.AddrPort { return pod }), ""},
		{"refused", agenttest.NoService(t), errkind.Refused}, // no TCP there, nor UDP
		{"silent", agenttest.ServiceUDP(t, func() netip.AddrPort { return netip.AddrPort{} }), errkind.Timeout},
		{"forbidden", netip.MustParseAddrPort("255.255.255.255:1"), errkind.Denied},
		{"answers to others come first", agenttest.ListenUDP(t, func(_ netip.AddrPort, question []byte) [][]byte {
			theirs := identity.Query(42)
			late, _ := identity.AppendReply(nil, theirs[:], other)
			mine, _ := identity.AppendReply(nil, question, pod)
			return [][]byte{late, nil, mine[:6], append(mine, 0), mine}
		}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(t, 1)
			before := agent.Now()
			var got probe.Outcome
			timeout := probe.MaxTimeout // the machine may be busy
			if test.want == errkind.Timeout {
				timeout = 100 * time.Millisecond
			}
			target := &probe.Target{Addr: test.addr, Protocol: agent.UDP, Interval: time.Hour, Timeout: timeout, Overlap: 1,
				Done: func(o probe.Outcome) { got = o; l.Stop() }}
			if err := l.Add(target); err != nil {
				t.Fatal(err)
			}
			if err := l.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got.Failure != test.want || (got.Answered() && got.From != pod) {
				t.Errorf("got %+v, want failure %q", got, test.want)
			}
			if !(before <= got.Start && got.Start <= got.End && got.End <= agent.Now()) {
				t.Errorf("times out of order: %d, %+v", before, got)
			}
		})
	}
}

// Every attempt is a new connection to nodes that remember flows: no source
// port comes twice.
func TestSourcePortsOverUDP(t *testing.T) {
	const attempts = 500
	l := newLoop(t, 64)
	pod := netip.MustParseAddrPort("10.244.0.1:8080")
	done := 0
	used := map[netip.AddrPort]bool{} // touched by the server alone
	service := agenttest.ListenUDP(t, func(from netip.AddrPort, question []byte) [][]byte {
		if used[from] {
			t.Errorf("%v comes again", from)
		}
		used[from] = true
		answer, _ := identity.AppendReply(nil, question, pod)
		return [][]byte{answer}
	})
	target := &probe.Target{Addr: service,
		Protocol: agent.UDP, Interval: 10 * time.Microsecond, Timeout: probe.MaxTimeout, Overlap: 64}
	target.Done = func(o probe.Outcome) {
		if !o.Answered() {
			t.Errorf("outcome %+v", o)
		}
		if done++; done == attempts {
			l.Stop()
		}
	}
	if err := l.Add(target); err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
