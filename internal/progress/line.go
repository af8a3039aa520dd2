package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// redraw is how often the line moves, enough to look alive.
	redraw = 200 * time.Millisecond
	// patience is the age from which a phase shows how long it takes.
	patience = 3 * time.Second
	// erase is "carriage return, erase to the end of the line" (ECMA-48).
	erase = "\r\x1b[K"
	// fallbackWidth is assumed where the terminal does not tell.
	fallbackWidth = 80
)

// line is a status line that is drawn again in its place.
type line struct {
	beat
	frame int
}

func newLine(t Terminal) *line {
	l := &line{}
	l.start(t, redraw, func() {
		l.frame++
		l.draw()
	})
	return l
}

// Phase is part of Display.
func (l *line) Phase(p Phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin(p)
	l.draw()
}

// Line is part of Display.
func (l *line) Line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.terminal, erase+text+"\n")
	if !l.closed && l.phase.Text != "" {
		l.draw()
	}
}

// Close is part of Display.
func (l *line) Close() { l.stop(func() { fmt.Fprint(l.terminal, erase) }) }

// draw draws the line. What the terminal cannot take is no reason to end a
// run, so errors are let go.
func (l *line) draw() {
	width := fallbackWidth
	if l.terminal.Width != nil {
		if w := l.terminal.Width(); w > 0 {
			width = w
		}
	}
	text := l.text(l.phase.String())
	if utf8.RuneCountInString(text) >= width {
		text = l.text(l.phase.Text) // what moves is worth more than what it belongs to
	}
	fmt.Fprint(l.terminal, erase+cut(text, width-1))
}

// text is the whole status line with a name for the phase.
func (l *line) text(phase string) string {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	mark := frames[l.frame%len(frames)]
	parts := []string{phase}
	if l.phase.Measuring {
		mark = '•' // it stands still
	} else {
		if l.detail != "" {
			parts = append(parts, l.detail)
		}
		if age := time.Since(l.since); age > patience {
			parts = append(parts, fmt.Sprintf("%d s", int(age.Seconds())))
		}
	}
	if text := left(l.end); text != "" {
		parts = append(parts, text)
	}
	return string(mark) + " " + strings.Join(parts, " · ")
}

// cut shortens a text to a width in characters.
func cut(text string, width int) string {
	if width < 1 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
