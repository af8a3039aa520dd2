package runners

import (
	"sync"
	"time"

	"svcbench/internal/results"
)

// Observer is told how a run goes on. Calls come one at a time, though not all
// from one goroutine; none may block.
type Observer interface {
	// TrialStarted says that trial n of total, counted from 1, begins.
	TrialStarted(t results.PlannedTrial, n, total int)
	// Phase says that the trial enters a phase. While measuring, the
	// processors belong to the measurement: nothing may be drawn, and there
	// are no further calls but a Warning when it is over.
	Phase(name string, measuring bool)
	// Step says how far the phase has come.
	Step(done, total int)
	// TrialEnded says how the trial ended. The trial is stored after that.
	TrialEnded(t *results.Trial, took time.Duration)
	// Warning is a doubt about the trial under way or about the run.
	Warning(message string)
}

// silent is the Observer of nobody.
type silent struct{}

func (silent) TrialStarted(results.PlannedTrial, int, int) {}
func (silent) Phase(string, bool)                          {}
func (silent) Step(int, int)                               {}
func (silent) TrialEnded(*results.Trial, time.Duration)    {}
func (silent) Warning(string)                              {}

// stepInterval is the least time between two calls of Observer.Step, except
// for the last.
const stepInterval = 100 * time.Millisecond

// steps makes one call after the other of the many of a phase, and fewer.
type steps struct {
	observer Observer
	total    int

	mu   sync.Mutex
	last time.Time
	done int
}

// at says that done of the steps are done.
func (s *steps) at(done int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if done <= s.done || done < s.total && now.Sub(s.last) < stepInterval {
		return
	}
	s.done, s.last = done, now
	s.observer.Step(done, s.total)
}
