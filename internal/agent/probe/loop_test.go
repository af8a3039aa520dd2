package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/identity"
	"svcbench/internal/agent/probe"
)

// answer is a backend.
func answer(c *net.TCPConn) {
	var question [1]byte
	if _, err := io.ReadFull(c, question[:]); err == nil {
		_ = identity.Answer(c)
	}
}

func newLoop(t testing.TB, limit int) *probe.Loop {
	t.Helper()
	l, err := probe.NewLoop(limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestOutcomes(t *testing.T) {
	good := agenttest.Listen(t, answer)
	for _, test := range []struct {
		name string
		addr netip.AddrPort
		want string
	}{
		{"answered", good, ""},
		{"refused", agenttest.NoService(t), errkind.Refused},
		{"closed", agenttest.Listen(t, func(c *net.TCPConn) {
			var b [1]byte
			_, _ = io.ReadFull(c, b[:])
		}), errkind.Closed},
		{"reset", agenttest.Listen(t, func(c *net.TCPConn) { _ = c.SetLinger(0) }), errkind.Reset},
		{"silent", agenttest.Listen(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }), errkind.Timeout},
		{"unreachable", netip.MustParseAddrPort("255.255.255.255:1"), errkind.Unreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(t, 1)
			before := agent.Now()
			var got probe.Outcome
			target := &probe.Target{Addr: test.addr, Interval: time.Hour, Timeout: 100 * time.Millisecond, Overlap: 1,
				Done: func(o probe.Outcome) { got = o; l.Stop() }}
			if err := l.Add(target); err != nil {
				t.Fatal(err)
			}
			if err := l.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got.Failure != test.want || got.Answered() != (test.want == "") {
				t.Errorf("got %+v, want failure %q", got, test.want)
			}
			if got.Answered() && got.From != test.addr {
				t.Errorf("answered by %v, want %v", got.From, test.addr)
			}
			if !(before <= got.Start && got.Start <= got.End && got.End <= agent.Now()) {
				t.Errorf("times out of order: %d, %+v", before, got)
			}
		})
	}
}

// A hung attempt must not keep later ones from starting.
func TestOverlap(t *testing.T) {
	var count atomic.Int64
	addr := agenttest.Listen(t, func(c *net.TCPConn) {
		if count.Add(1) == 1 {
			_, _ = io.Copy(io.Discard, c)
			return
		}
		answer(c)
	})
	l := newLoop(t, 8)
	var outcomes []probe.Outcome
	var oldest int64
	target := &probe.Target{Addr: addr, Interval: time.Millisecond, Timeout: probe.MaxTimeout, Overlap: 2}
	target.Done = func(o probe.Outcome) {
		outcomes = append(outcomes, o)
		if oldest = target.OldestOpen(); len(outcomes) == 5 {
			l.Stop()
		}
	}
	if err := l.Add(target); err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Which of the first attempts hangs is up to the server's scheduler.
	after := 0
	for _, o := range outcomes {
		if !o.Answered() {
			t.Errorf("outcome %+v: want an answer", o)
		}
		if o.Start > oldest {
			after++
		}
	}
	if oldest == 0 || after < 3 {
		t.Errorf("%d of %+v began after the hung attempt at %d, want most", after, outcomes, oldest)
	}
	if l.Open() == 0 {
		t.Error("the hung attempt is not open")
	}
	l.Remove(target)
	l.Remove(target)
	if l.Open() != 0 {
		t.Errorf("%d attempts open after Remove", l.Open())
	}
}

// Attempts beyond the limit wait, and get their turn.
func TestLimit(t *testing.T) {
	addr := agenttest.Listen(t, answer)
	const targets, limit = 50, 3
	l := newLoop(t, limit)
	answered := 0
	for range targets {
		target := &probe.Target{Addr: addr, Interval: time.Hour, Timeout: probe.MaxTimeout, Overlap: 1}
		target.Done = func(o probe.Outcome) {
			if !o.Answered() {
				t.Errorf("outcome %+v", o)
			}
			if l.Open() >= limit {
				t.Errorf("%d others open, limit %d", l.Open(), limit)
			}
			if answered++; answered == targets {
				l.Stop()
			}
		}
		if err := l.Add(target); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDoAndCancel(t *testing.T) {
	l := newLoop(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	called := make(chan struct{})
	l.Do(func() { close(called) })
	<-called
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l.Do(func() { t.Error("called after Close") })
}

func TestAddRefuses(t *testing.T) {
	l := newLoop(t, 1)
	good := probe.Target{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Interval: 1, Timeout: 1, Overlap: 1, Done: func(probe.Outcome) {}}
	for name, spoil := range map[string]func(*probe.Target){
		"IPv6":         func(t *probe.Target) { t.Addr = netip.MustParseAddrPort("[::1]:80") },
		"no port":      func(t *probe.Target) { t.Addr = netip.MustParseAddrPort("10.0.0.1:0") },
		"no interval":  func(t *probe.Target) { t.Interval = 0 },
		"no overlap":   func(t *probe.Target) { t.Overlap = 0 },
		"no time-out":  func(t *probe.Target) { t.Timeout = 0 },
		"SYN repeated": func(t *probe.Target) { t.Timeout = time.Second },
		"no callback":  func(t *probe.Target) { t.Done = nil },
	} {
		bad := good
		spoil(&bad)
		if err := l.Add(&bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := probe.NewLoop(0); err == nil {
		t.Error("NewLoop(0): no error")
	}
}
