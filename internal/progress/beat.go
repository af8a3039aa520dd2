package progress

import (
	"sync"
	"time"
)

// beat is what the displays share: the phase under way, and something to do
// regularly while it is not being measured.
type beat struct {
	terminal Terminal
	every    time.Duration
	ticker   *time.Ticker
	done     chan struct{}
	ended    sync.WaitGroup

	mu     sync.Mutex
	phase  Phase
	since  time.Time
	detail string
	end    time.Time
	closed bool
}

// start calls tick, with the lock, every so often. To be called once; stop
// ends it.
func (b *beat) start(t Terminal, every time.Duration, tick func()) {
	b.terminal, b.every = t, every
	b.ticker, b.done = time.NewTicker(every), make(chan struct{})
	b.ticker.Stop() // until there is a phase
	b.ended.Go(func() {
		for {
			select {
			case <-b.done:
				return
			case <-b.ticker.C:
				b.mu.Lock()
				// A tick that was due before measuring began may come late.
				if !b.phase.Measuring && !b.closed {
					tick()
				}
				b.mu.Unlock()
			}
		}
	})
}

// begin makes p the phase. The caller holds the lock.
func (b *beat) begin(p Phase) {
	b.phase, b.since, b.detail = p, time.Now(), ""
	if p.Measuring {
		b.ticker.Stop()
	} else {
		b.ticker.Reset(b.every)
	}
}

// stop ends the ticks after calling last with the lock. Stopping again changes
// nothing.
func (b *beat) stop(last func()) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	b.ticker.Stop()
	last()
	b.mu.Unlock()
	close(b.done)
	b.ended.Wait()
}

// Detail is part of Display: it is shown with the next tick.
func (b *beat) Detail(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detail = text
}

// Left is part of Display.
func (b *beat) Left(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = time.Now().Add(d)
}
