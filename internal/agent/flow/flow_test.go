package flow_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/flow"
)

var (
	podA = netip.MustParseAddr("10.244.0.1")
	podB = netip.MustParseAddr("10.244.0.2")
)

// pick is a Service's choice that a test can change.
type pick struct{ pod atomic.Pointer[netip.Addr] }

func (p *pick) lead(pod netip.Addr) { p.pod.Store(&pod) }

func (p *pick) choose() netip.AddrPort {
	if pod := p.pod.Load(); pod != nil && pod.IsValid() {
		return netip.AddrPortFrom(*pod, backend.DefaultPort)
	}
	return netip.AddrPort{}
}

// run keeps one flow for a second and a half, in which change is called after half
// a second and again after one.
func run(t *testing.T, spec flow.Spec, change func(n int)) []flow.Stretch {
	t.Helper()
	spec.Interval, spec.Timeout, spec.Duration = 10*time.Millisecond, 100*time.Millisecond, 1500*time.Millisecond
	for n := range 2 {
		time.AfterFunc(time.Duration(n+1)*500*time.Millisecond, func() { change(n) })
	}
	flows, err := flow.Run(t.Context(), agenttest.Launcher{flow.Name: flow.Serve}, spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(flows) != 1 || flows[0].Target != spec.Targets[0] {
		t.Fatalf("flows %+v", flows)
	}
	var last int64
	for _, s := range flows[0].Stretches {
		if s.First < last || s.Last < s.First || s.Questions == 0 {
			t.Errorf("stretches are not in the order of time: %+v", flows[0].Stretches)
		}
		last = s.Last
	}
	return flows[0].Stretches
}

// A kept connection of HTTP ends when the other end does, and the next one is led
// anew.
func TestKeptConnection(t *testing.T) {
	var p pick
	p.lead(podA)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(backend.Header, p.choose().String())
	}))
	defer server.Close()
	target := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	got := run(t, flow.Spec{Targets: []netip.AddrPort{target}}, func(n int) {
		if n == 1 {
			p.lead(podB)
			server.CloseClientConnections()
		}
	})
	if first := got[0]; first.From != podA || first.Connection != 1 || first.Questions < 10 {
		t.Errorf("first %+v", first)
	}
	if last := got[len(got)-1]; last.From != podB || last.Connection != 2 {
		t.Errorf("last %+v of %+v", last, got)
	}
}

// A flow of UDP stays one connection, whoever answers and if nobody does.
func TestFlowOfUDP(t *testing.T) {
	var p pick
	p.lead(podA)
	got := run(t, flow.Spec{Targets: []netip.AddrPort{agenttest.ServiceUDP(t, p.choose)}, Protocol: agent.UDP}, func(n int) {
		p.lead([]netip.Addr{{}, podB}[n])
	})
	if len(got) != 3 || got[0].From != podA || got[1].Failure != "timeout" || got[2].From != podB {
		t.Fatalf("stretches %+v", got)
	}
	for _, s := range got {
		if s.Connection != 1 {
			t.Errorf("connection %d of a flow of UDP", s.Connection)
		}
	}
}

func TestRefused(t *testing.T) {
	got := run(t, flow.Spec{Targets: []netip.AddrPort{agenttest.NoService(t)}}, func(int) {})
	if got[0].Failure != "refused" || got[0].From.IsValid() {
		t.Errorf("stretches %+v", got)
	}
	for want, spec := range map[string]flow.Spec{
		"must be positive":    {},
		"not an IPv4 address": {Duration: time.Second, Targets: []netip.AddrPort{netip.MustParseAddrPort("[::1]:80")}},
	} {
		if _, err := flow.Run(t.Context(), agenttest.Launcher{flow.Name: flow.Serve}, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run = %v, want %q", err, want)
		}
	}
}
