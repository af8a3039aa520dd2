package runners

import (
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/results"
)

// recorder is an Observer that notes what it is told, and minds the rules.
type recorder struct {
	t         testing.TB
	busy      atomic.Bool
	measuring bool
	phases    []string
	steps     int
	ended     []results.Status
	warnings  []string
	onPhase   func(name string)
}

func (r *recorder) alone() func() {
	if !r.busy.CompareAndSwap(false, true) {
		r.t.Error("the observer is called twice at once")
	}
	return func() { r.busy.Store(false) }
}

func (r *recorder) TrialStarted(results.PlannedTrial, int, int) { defer r.alone()() }

func (r *recorder) Phase(name string, measuring bool) {
	defer r.alone()()
	r.measuring = measuring
	r.phases = append(r.phases, name)
	if r.onPhase != nil {
		r.onPhase(name)
	}
}

func (r *recorder) Step(done, total int) {
	defer r.alone()()
	if r.measuring {
		r.t.Errorf("step %d of %d while measuring", done, total)
	}
	r.steps = max(r.steps, done)
}

func (r *recorder) TrialEnded(t *results.Trial, _ time.Duration) {
	defer r.alone()()
	r.ended = append(r.ended, t.Status)
}

func (r *recorder) Warning(message string) {
	defer r.alone()()
	r.warnings = append(r.warnings, message)
}
