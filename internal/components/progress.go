package components

import (
	"sync"
	"time"
)

// progress tells how far the work on one module is.
type progress struct {
	mu      sync.Mutex
	report  func(Event)
	module  module
	started time.Time
	last    Event
}

func newProgress(m module, report func(Event)) *progress {
	return &progress{report: report, module: m, started: time.Now()}
}

// set reports an event, whose module and times it fills in.
func (p *progress) set(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.send(e)
}

func (p *progress) send(e Event) {
	e.Module, e.Version = p.module.name, p.module.version
	e.Elapsed = time.Since(p.started)
	p.last = e
	p.report(e)
}

// pulse reports the last event again every second, so that a user sees that
// time passes, after refresh has brought it up to date; refresh may be nil.
// The function returned ends that and returns when nothing more is reported.
func (p *progress) pulse(refresh func(*Event)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.mu.Lock()
				e := p.last
				if refresh != nil {
					refresh(&e)
				}
				p.send(e)
				p.mu.Unlock()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
