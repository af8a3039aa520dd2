package probe_test

import (
	"net/netip"
	"testing"
	"time"

	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/probe"
)

// BenchmarkAttempts measures what an attempt costs the prober and a backend
// together, one at a time.
func BenchmarkAttempts(b *testing.B) {
	n := agenttest.NewNamespace(b)
	back, err := backend.Start(b.Context(), agenttest.Launcher{backend.Name: n.Serve(backend.Serve)}, backend.Spec{})
	if err != nil {
		b.Fatal(err)
	}
	defer back.Close()
	l := newLoop(b, 1)
	done := 0
	t := &probe.Target{Addr: netip.MustParseAddrPort("127.0.0.1:8080"), Interval: time.Nanosecond, Timeout: probe.MaxTimeout, Overlap: 1}
	t.Done = func(o probe.Outcome) {
		if !o.Answered() {
			b.Errorf("outcome %+v", o)
		}
		if done++; done >= b.N {
			l.Stop()
		}
	}
	if err := l.Add(t); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n.Must(func() error { return l.Run(b.Context()) })
}
