// Package progress shows a person what a long command is doing without
// disturbing what it measures: while a phase is measured nothing is drawn and
// no timer runs.
package progress

import (
	"fmt"
	"io"
	"time"
)

// Display shows the progress of one command. Its methods are safe for
// concurrent use and return at once.
type Display interface {
	// Phase says that something new begins.
	Phase(p Phase)
	// Detail says how far the phase is, such as "1,200 of 10,000 Services".
	// It may be called often.
	Detail(text string)
	// Left says how long the whole command will still take.
	Left(d time.Duration)
	// Line prints a line that stays, such as a warning.
	Line(text string)
	// Close ends the display and leaves the cursor at the start of a line.
	Close()
}

// Phase is something that takes its time.
type Phase struct {
	// Part names what the phase belongs to, such as a trial; may be empty.
	Part string
	// Text names it in a few words.
	Text string
	// Measuring says that the machine is to be left alone until the next
	// phase: nothing is drawn.
	Measuring bool
}

// String is the phase with what it belongs to.
func (p Phase) String() string {
	if p.Part == "" {
		return p.Text
	}
	return p.Part + " · " + p.Text
}

// Style is a kind of display.
type Style string

// The styles.
const (
	// Auto is a line that is redrawn on a terminal, Plain elsewhere.
	Auto Style = "auto"
	// Plain is a line for each phase, for logs.
	Plain Style = "plain"
	// None shows nothing.
	None Style = "none"
)

// Styles lists the styles, the default first.
func Styles() []string { return []string{string(Auto), string(Plain), string(None)} }

// Terminal is where a display is shown.
type Terminal struct {
	io.Writer
	// Redraws says that a line can be drawn again in its place.
	Redraws bool
	// Width returns the number of columns, 0 if that is not known.
	Width func() int
}

// New returns a display of that style, which must be closed.
func New(t Terminal, style Style) Display {
	switch {
	case style == None:
		return silent{}
	case style == Auto && t.Redraws:
		return newLine(t)
	default:
		return newLog(t)
	}
}

// silent shows nothing.
type silent struct{}

func (silent) Phase(Phase)        {}
func (silent) Detail(string)      {}
func (silent) Left(time.Duration) {}
func (silent) Line(string)        {}
func (silent) Close()             {}

// left says in words how long it will take until end, roughly: an estimate
// to the second would promise too much.
func left(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	d := time.Until(end)
	switch {
	case d < 5*time.Second:
		return "nearly done"
	case d < 55*time.Second:
		return fmt.Sprintf("about %d s left", (int(d.Seconds())+4)/5*5)
	default:
		return "about " + Rough(d) + " left"
	}
}

// Rough writes a duration as people say it: "40 s", "12 min", "3 h 20 min".
func Rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	minutes := int(d.Round(10 * time.Minute).Minutes())
	if minutes%60 == 0 {
		return fmt.Sprintf("%d h", minutes/60)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}
