package connect

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/stats"
)

// pods returns the addresses of backends on the loopback of this namespace.
func pods(t testing.TB, n int) []Target {
	t.Helper()
	const port = 18080
	b, err := backend.Start(t.Context(), agenttest.Launcher{backend.Name: backend.Serve}, backend.Spec{Ports: []uint16{port}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	targets := make([]Target, n)
	for i := range targets {
		targets[i] = Target{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), port), Class: "all"}
	}
	return targets
}

// load runs a loop over targets of the class "all".
func load(t testing.TB, targets []Target, rate int, d, timeout time.Duration) *loop {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spec := Spec{Targets: targets, Mix: []Share{{Class: "all", Weight: 1}}, Rate: rate, Duration: d, Timeout: timeout}
	if err := spec.check(); err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.watched(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := l.shut(); err != nil {
		t.Fatal(err)
	}
	return l
}

// deaf returns an address of the loopback device that answers no SYN: nobody
// takes the one connection that has room to wait.
func deaf(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	addr := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(fd, &addr), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(addr.Addr), uint16(bound.(*unix.SockaddrInet4).Port))
}

func TestNothingIsAllocated(t *testing.T) {
	for _, protocol := range []agent.Protocol{agent.TCP, agent.UDP} {
		t.Run(string(protocol), func(t *testing.T) { testNothingIsAllocated(t, protocol) })
	}
}

func testNothingIsAllocated(t *testing.T, protocol agent.Protocol) {
	spec := Spec{Protocol: protocol, Targets: pods(t, 3), Mix: []Share{{Class: "all", Weight: 1}}, Rate: 10_000, Duration: 200 * time.Millisecond, Timeout: 50 * time.Millisecond}
	silent := deaf(t)
	if protocol == agent.UDP {
		silent = agenttest.ListenUDP(t, func(netip.AddrPort, []byte) [][]byte { return nil })
	}
	for _, addr := range []netip.AddrPort{agenttest.NoService(t), silent, netip.MustParseAddrPort("255.255.255.255:1")} {
		spec.Targets = append(spec.Targets, Target{Addr: addr, Class: "all"})
	}
	l, err := newLoop(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer l.shut()
	l.schedule = schedule{begin: agent.Now(), rate: 10_000}
	const batch = 40 // AllocsPerRun rounds down
	some := func() { // as run does
		for until := l.next + batch; l.next < until; {
			l.startDue()
			if err := l.look(l.nextEvent()); err != nil {
				t.Fatal(err)
			}
			l.expire()
		}
	}
	if n := testing.AllocsPerRun(len(l.attempts)/batch-2, some); n != 0 {
		t.Errorf("%v allocations in %d attempts", n, batch)
	}
	count := map[state]int{}
	for _, a := range l.attempts {
		count[a.state]++
	}
	if count[established] == 0 || count[failed] == 0 || count[censored] == 0 {
		t.Errorf("attempts by state: %v, want some established, failed and timed out", count)
	}
}

func TestPlan(t *testing.T) {
	spec := Spec{Rate: 3, Duration: 100 * time.Second, Seed: 7, Mix: []Share{{"a", 2}, {"b", 1}}}
	for i := range 10 {
		spec.Targets = append(spec.Targets, Target{Class: string(rune('a' + i%2))})
	}
	plan := spec.plan()
	if len(plan) != 300 || !slices.Equal(plan, spec.plan()) {
		t.Fatalf("%d attempts, want 300, the same each time", len(plan))
	}
	met, second := map[int32]bool{}, map[int]bool{}
	for i := 0; i < len(plan); i += 3 {
		b := 0
		for k, a := range plan[i : i+3] {
			met[a.target] = true
			if spec.Targets[a.target].Class == "b" {
				b++
				second[k] = true
			}
		}
		if b != 1 {
			t.Fatalf("cycle at %d has %d of class b, want 1", i, b)
		}
	}
	if len(met) != len(spec.Targets) || len(second) != 3 {
		t.Errorf("met %d of %d targets, class b in %d of 3 places of its cycle", len(met), len(spec.Targets), len(second))
	}
	spec.Seed++
	if slices.Equal(plan, spec.plan()) {
		t.Error("another seed makes the same plan")
	}
	s := schedule{begin: 5, rate: 3}
	for d, want := range map[time.Duration]int{0: 0, 1: 1, time.Second / 3: 1, time.Second/3 + 1: 2, time.Second: 3, time.Second + 1: 4} {
		if got := s.within(d); got != want || (got > 0 && s.due(got-1) >= 5+int64(d)) || s.due(got) < 5+int64(d) {
			t.Errorf("%d due within %v, want %d", got, d, want)
		}
	}
}

// Whatever cannot be started is counted.
func TestDropped(t *testing.T) {
	spec := Spec{Targets: pods(t, 1), Mix: []Share{{Class: "all", Weight: 1}}, Rate: 1000, Duration: time.Second, Timeout: 100 * time.Millisecond}
	l, err := newLoop(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer l.shut()
	l.schedule = schedule{begin: agent.Now() - 500*time.Millisecond.Nanoseconds(), rate: 1000}
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := newResult(spec, l, Health{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Due != 1000 || r.Dropped < 400 || r.Started+r.Dropped != r.Due || r.Late == 0 {
		t.Errorf("late by half of the time: %d due, %d dropped, %d started, %d late", r.Due, r.Dropped, r.Started, r.Late)
	}

	spec.Duration = 100 * time.Millisecond
	crowded, err := newLoop(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer crowded.shut()
	crowded.limit = 0
	crowded.schedule = schedule{begin: agent.Now(), rate: 1000}
	if err := crowded.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err = newResult(spec, crowded, Health{}); err != nil || r.Dropped != r.Due || r.Started != 0 {
		t.Errorf("no room: %d of %d dropped, %v", r.Dropped, r.Due, err)
	}
}

// BenchmarkCapacity starts one connection after the other: ns/op is what a
// connection takes of a core, the path through the loopback device included.
func BenchmarkCapacity(b *testing.B) {
	targets := pods(b, 100)
	b.ResetTimer()
	var elapsed time.Duration
	ok := 0
	for left := b.N; left > 0; left -= 1_000_000 {
		n := min(left, 1_000_000)
		l := load(b, targets, maxRate, time.Duration(n)*time.Microsecond, time.Minute)
		elapsed += time.Duration(l.attempts[n-1].start - l.attempts[0].start)
		for i := range l.attempts {
			if l.attempts[i].state == established {
				ok++
			}
		}
	}
	if ok != b.N {
		b.Errorf("%d of %d established", ok, b.N)
	}
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "conns/s")
}

// BenchmarkLag reports how late connections start at a moderate rate.
func BenchmarkLag(b *testing.B) {
	targets := pods(b, 100)
	for b.Loop() {
		const rate = 1000
		l := load(b, targets, rate, 2*time.Second, time.Second)
		lag, took := stats.NewHistogram(), stats.NewHistogram()
		for i := range l.attempts {
			lag.Record(l.attempts[i].start - l.schedule.due(i))
			took.Record(l.attempts[i].took)
		}
		for q, name := range map[float64]string{0.5: "p50", 0.99: "p99", 1: "max"} {
			b.ReportMetric(float64(lag.Quantile(q))/1e3, name+"-lag-us")
			b.ReportMetric(float64(took.Quantile(q))/1e3, name+"-connect-us")
		}
	}
}
