package progress

import (
	"fmt"
	"strings"
	"time"
)

// heartbeat is how often a phase that takes long says that it is alive.
const heartbeat = 30 * time.Second

// log is a line for each phase, and a heartbeat in long ones.
type log struct{ beat }

func newLog(t Terminal) *log {
	l := &log{}
	l.start(t, heartbeat, func() {
		l.print("still "+l.phase.String(), l.detail, fmt.Sprintf("%d s", int(time.Since(l.since).Seconds())), left(l.end))
	})
	return l
}

// Phase is part of Display.
func (l *log) Phase(p Phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Part != "" && p.Part != l.phase.Part {
		l.print(p.Part, left(l.end))
	}
	l.begin(p)
	if p.Part != "" {
		l.print("  " + p.Text)
	} else {
		l.print(p.Text, left(l.end))
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

// Line is part of Display.
func (l *log) Line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.terminal, text)
}

// Close is part of Display.
func (l *log) Close() { l.stop(func() {}) }
