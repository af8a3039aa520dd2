package progress

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// heartbeat is how often a phase that takes long says that it is alive.
const heartbeat = 30 * time.Second

// log is a line for each phase, and a heartbeat in long ones.
type log struct {
	terminal Terminal
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

func newLog(t Terminal) *log {
	l := &log{terminal: t, ticker: time.NewTicker(heartbeat), done: make(chan struct{})}
	l.ticker.Stop() // until there is a phase
	l.ended.Go(l.beat)
	return l
}

func (l *log) beat() {
	for {
		select {
		case <-l.done:
			return
		case <-l.ticker.C:
			l.mu.Lock()
			if !l.phase.Measuring && !l.closed {
				l.print("still "+l.phase.String(), l.detail, fmt.Sprintf("%d s", int(time.Since(l.since).Seconds())), left(l.end))
			}
			l.mu.Unlock()
		}
	}
}

// Phase is part of Display.
func (l *log) Phase(p Phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Part != "" && p.Part != l.phase.Part {
		l.print(p.Part, left(l.end))
	}
	l.phase, l.since, l.detail = p, time.Now(), ""
	if p.Part != "" {
		l.print("  " + p.Text)
	} else {
		l.print(p.Text, left(l.end))
	}
	if p.Measuring {
		l.ticker.Stop()
	} else {
		l.ticker.Reset(heartbeat)
	}
}

// print prints the parts that are not empty. Errors are let go: a log that cannot be written is no reason to end a run.
func (l *log) print(parts ...string) {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	fmt.Fprintln(l.terminal, strings.Join(said, " · "))
}

// Detail is part of Display.
func (l *log) Detail(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detail = text
}

// Left is part of Display.
func (l *log) Left(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = time.Now().Add(d)
}

// Line is part of Display.
func (l *log) Line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.terminal, text)
}

// Close is part of Display.
func (l *log) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	l.ticker.Stop()
	l.mu.Unlock()
	close(l.done)
	l.ended.Wait()
}
