package runners

import (
	"context"
	"errors"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/scenarios"
)

func TestDues(t *testing.T) {
	c := &scenarios.Churn{Rate: 5, Duration: scenarios.Duration(20 * time.Second)}
	got := dues(c, source(1))
	if len(got) != 100 {
		t.Fatalf("%d changes", len(got))
	}
	distances := map[time.Duration]bool{}
	for i, due := range got {
		slot := time.Duration(i) * 200 * time.Millisecond
		if due < slot || due >= slot+200*time.Millisecond {
			t.Errorf("change %d is due at %v, outside its share of the time", i, due)
		}
		if i > 0 {
			distances[(due - got[i-1]).Round(time.Millisecond)] = true
		}
	}
	if len(distances) < 50 {
		t.Errorf("only %d different distances: the schedule could keep step with the proxy", len(distances))
	}
	if n := changes(&scenarios.Churn{Rate: 0.1, Duration: scenarios.Duration(30 * time.Second)}); n != 3 {
		t.Errorf("0.1/s for 30 s are %d changes", n)
	}
}

func TestProbeInterval(t *testing.T) {
	for rate, want := range map[float64]time.Duration{1: time.Millisecond, 3: time.Millisecond, 10: 3 * time.Millisecond, 100: 30 * time.Millisecond} {
		if got := probeInterval(rate); got != want {
			t.Errorf("%v changes a second: a connection every %v, want %v", rate, got, want)
		}
	}
}

func TestWaitUntil(t *testing.T) {
	if err := waitUntil(t.Context(), agent.Now()-1); err != nil {
		t.Error(err)
	}
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := waitUntil(ctx, agent.Now()+int64(time.Hour)); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}
