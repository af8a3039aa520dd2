package connect_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

var (
	good = netip.MustParseAddrPort("10.244.0.1:8080")
	also = netip.MustParseAddrPort("10.244.0.2:8080")
	hung = netip.MustParseAddrPort("10.244.0.3:8080")
	shut = netip.MustParseAddrPort("10.244.0.1:9999")
	lost = netip.MustParseAddrPort("255.255.255.255:8080") // TCP does not go there
)

// network is a client and backends behind a veth, of which hung is off.
func network(t testing.TB) agent.Launcher {
	t.Helper()
	client, server := agenttest.NewNamespace(t), agenttest.NewNamespace(t)
	agenttest.Connect(client, netip.MustParsePrefix("192.0.2.1/30"), server, netip.MustParsePrefix("192.0.2.2/30"))
	server.AnyIP(netip.MustParsePrefix("10.244.0.0/16"))
	l := agenttest.Launcher{connect.Name: client.Serve(connect.Serve), backend.Name: server.Serve(backend.Serve)}
	b, err := backend.Start(t.Context(), l, backend.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := b.Off(t.Context(), hung.Addr()); err != nil {
		t.Fatal(err)
	}
	return l
}

func decode(t testing.TB, hdr string) *stats.Histogram {
	t.Helper()
	h, err := stats.Decode(hdr)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// unhindered runs the spec until no connection was dropped, as happens when a
// busy machine stands still for longer than the time-out. begun is when the run
// that counts began.
func unhindered(t *testing.T, spec connect.Spec) (r *connect.Result, begun int64) {
	t.Helper()
	const tries = 5
	l := network(t)
	for range tries {
		begun = agent.Now()
		var err error
		if r, err = connect.Run(t.Context(), l, spec); err != nil {
			t.Fatal(err)
		}
		if r.Dropped == 0 {
			return r, begun
		}
	}
	t.Fatalf("dropped %d: the machine stood still for longer than the time-out, %d times in a row", r.Dropped, tries)
	return nil, 0
}

func TestClasses(t *testing.T) {
	spec := connect.Spec{
		Targets: []connect.Target{
			{Addr: good, Class: "all"}, {Addr: also, Class: "all"},
			{Addr: shut, Class: "refused"}, {Addr: hung, Class: "hung"}, {Addr: lost, Class: "lost"},
		},
		Mix:  []connect.Share{{Class: "all", Weight: 5}, {Class: "refused", Weight: 2}, {Class: "hung", Weight: 2}, {Class: "lost", Weight: 1}},
		Rate: 1000, Warmup: 100 * time.Millisecond, Duration: 400 * time.Millisecond, Timeout: 1500 * time.Millisecond,
		Seed: 1, BinWidth: 150 * time.Millisecond,
	}
	r, before := unhindered(t, spec)
	if r.Start < before || r.End-r.Start != spec.Duration.Nanoseconds() || r.End > agent.Now() {
		t.Errorf("window from %d to %d, begun at %d", r.Start, r.End, before)
	}
	if r.Due != 400 || r.Started != r.Due || r.Late > r.Started {
		t.Errorf("due %d, started %d, late %d: want 400 due", r.Due, r.Started, r.Late)
	}
	if got := decode(t, r.Lag).Count(); got != r.Started {
		t.Errorf("%d lags of %d started", got, r.Started)
	}
	if r.Health.GCs != 0 || r.Health.PeakOpen < 80 || r.Health.CPU <= 0 || r.Health.Elapsed < 500*time.Millisecond {
		t.Errorf("health %+v: want no collections and about 100 hung sockets", r.Health)
	}
	for i, want := range []struct {
		class                        string
		started, ok, censored, fails int64
		kind                         string
	}{
		{"all", 200, 200, 0, 0, ""},
		{"refused", 80, 0, 0, 80, errkind.Refused},
		{"hung", 80, 0, 80, 0, ""},
		{"lost", 40, 0, 0, 40, errkind.Unreachable},
	} {
		c := r.Classes[i]
		if c.Class != want.class || c.Started != want.started || c.Established != want.ok || c.Censored != want.censored || c.Errors[want.kind] != want.fails {
			t.Errorf("class %+v, want %+v", c, want)
		}
		for hdr, n := range map[string]int64{c.Connect: c.Established, c.Syscall: c.Established + c.Censored} {
			h := decode(t, hdr)
			if h.Count() != n || (h.Count() > 0 && (h.Min() <= 0 || h.Max() > spec.Timeout.Nanoseconds())) {
				t.Errorf("class %q: %d values from %d to %d", c.Class, h.Count(), h.Min(), h.Max())
			}
		}
	}
	var sum results.Bin
	for _, b := range r.Bins {
		sum.Count, sum.Errors = sum.Count+b.Count, sum.Errors+b.Errors
		if b.P50 <= 0 || b.P50 > b.P99 || b.P99 > b.Max {
			t.Errorf("bin %+v", b)
		}
	}
	if len(r.Bins) != 3 || sum.Count != 200 || sum.Errors != 200 {
		t.Errorf("%d bins of %d established and %d failed, want 3 of 200 and 200", len(r.Bins), sum.Count, sum.Errors)
	}
}

func TestClassesOverUDP(t *testing.T) {
	spec := connect.Spec{
		Targets: []connect.Target{
			{Addr: good, Class: "all"}, {Addr: also, Class: "all"},
			{Addr: shut, Class: "refused"}, {Addr: hung, Class: "hung"}, {Addr: lost, Class: "lost"},
		},
		Protocol: agent.UDP,
		Mix:      []connect.Share{{Class: "all", Weight: 5}, {Class: "refused", Weight: 2}, {Class: "hung", Weight: 2}, {Class: "lost", Weight: 1}},
		Rate:     1000, Duration: 400 * time.Millisecond, Timeout: 1500 * time.Millisecond, Seed: 1,
	}
	r, _ := unhindered(t, spec)
	if r.Health.GCs != 0 {
		t.Errorf("health %+v: want no collections", r.Health)
	}
	for i, want := range []struct {
		class                 string
		started, ok, censored int64
		kind                  string
	}{
		{"all", 200, 200, 0, ""},
		{"refused", 80, 0, 80, errkind.Refused}, // the kernel refuses some; see below
		{"hung", 80, 0, 80, ""},
		{"lost", 40, 0, 0, errkind.Denied},
	} {
		c := r.Classes[i]
		fails := want.started - want.ok - want.censored
		if want.class == "refused" { // it limits how many ICMP messages it sends
			fails = c.Errors[errkind.Refused]
			want.censored -= fails
			if fails == 0 {
				t.Error("none was refused")
			}
		}
		if c.Class != want.class || c.Started != want.started || c.Established != want.ok || c.Censored != want.censored || c.Errors[want.kind] != fails {
			t.Errorf("class %+v, want %+v", c, want)
		}
		for hdr, n := range map[string]int64{c.Connect: c.Established, c.Syscall: c.Established + c.Censored} {
			h := decode(t, hdr)
			if h.Count() != n || (h.Count() > 0 && (h.Min() <= 0 || h.Max() > spec.Timeout.Nanoseconds())) {
				t.Errorf("class %q: %d values from %d to %d", c.Class, h.Count(), h.Min(), h.Max())
			}
		}
		if c.Established > 0 {
			if took, call := decode(t, c.Connect), decode(t, c.Syscall); took.Min() < call.Min() {
				t.Errorf("class %q: answers after %d ns, calls of %d ns", c.Class, took.Min(), call.Min())
			}
		}
	}
}

func TestRejects(t *testing.T) {
	l := agenttest.Launcher{connect.Name: connect.Serve}
	fine := connect.Spec{
		Targets: []connect.Target{{Addr: good, Class: "all"}}, Mix: []connect.Share{{Class: "all", Weight: 1}},
		Rate: 1, Duration: time.Second, Timeout: time.Second,
	}
	for want, change := range map[string]func(*connect.Spec){
		"neither TCP":     func(s *connect.Spec) { s.Protocol = "SCTP" },
		"rate 0":          func(s *connect.Spec) { s.Rate = 0 },
		"duration 0s":     func(s *connect.Spec) { s.Duration = 0 },
		"warm-up -1s":     func(s *connect.Spec) { s.Warmup = -time.Second },
		"time-out 2m0s":   func(s *connect.Spec) { s.Timeout = 2 * time.Minute },
		"are more than":   func(s *connect.Spec) { s.Duration = 1 << 62 },
		"nor more than":   func(s *connect.Spec) { s.BinWidth = 1 },
		"no classes":      func(s *connect.Spec) { s.Mix = nil },
		"a weight from 1": func(s *connect.Spec) { s.Mix = []connect.Share{{Class: "all"}} },
		"in the mix once": func(s *connect.Spec) { s.Mix = append(s.Mix, s.Mix...) },
		"has no targets":  func(s *connect.Spec) { s.Targets = nil },
		"not in the mix":  func(s *connect.Spec) { s.Targets = []connect.Target{{Addr: good, Class: "other"}} },
		"not an IPv4":     func(s *connect.Spec) { s.Targets[0].Addr = netip.MustParseAddrPort("[::1]:80") },
		"with a port":     func(s *connect.Spec) { s.Targets[0].Addr = netip.AddrPortFrom(good.Addr(), 0) },
	} {
		spec := fine
		spec.Targets = append([]connect.Target(nil), fine.Targets...)
		change(&spec)
		if _, err := connect.Run(t.Context(), l, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	why := errors.New("trial over")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	began := time.Now()
	_, err := connect.Run(ctx, network(t), connect.Spec{
		Targets: []connect.Target{{Addr: hung, Class: "all"}}, Mix: []connect.Share{{Class: "all", Weight: 1}},
		Rate: 1, Duration: time.Minute, Timeout: time.Minute,
	})
	if !errors.Is(err, why) || time.Since(began) > 10*time.Second {
		t.Errorf("cancelled: %v after %v, want %v at once", err, time.Since(began), why)
	}
}
