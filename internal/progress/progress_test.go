package progress

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// screen is a terminal that can be read while it is written.
type screen struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestLogHasOneLineAPhaseAndAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		d := New(Terminal{Writer: &out}, Auto)
		d.Left(10 * time.Minute)
		d.Phase(Phase{Part: "[1/2] quick", Text: "cluster-up"})
		d.Phase(Phase{Part: "[1/2] quick", Text: "populate"})
		d.Detail("100 of 1000 Services")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		d.Phase(Phase{Part: "[1/2] quick", Text: "connect", Measuring: true})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		d.Line("! a warning")
		d.Phase(Phase{Text: "report"})
		d.Close()
		want := `[1/2] quick · about 10 min left
  cluster-up
  populate
still [1/2] quick · populate · 100 of 1000 Services · 30 s · about 10 min left
  connect
! a warning
report · about 4 min left
`
		if got := out.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

// Drawing takes processor time from what is being measured.
func TestNothingIsDrawnWhileMeasuring(t *testing.T) {
	for _, style := range []struct {
		name string
		Terminal
	}{{"line", Terminal{Redraws: true}}, {"log", Terminal{}}} {
		t.Run(style.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out screen
				style.Writer = &out
				d := New(style.Terminal, Auto)
				defer d.Close()
				d.Phase(Phase{Text: "populate"})
				time.Sleep(time.Minute + time.Millisecond)
				synctest.Wait()
				d.Phase(Phase{Text: "connect", Measuring: true})
				before := len(out.String())
				d.Detail("a detail")
				time.Sleep(time.Hour + time.Millisecond)
				synctest.Wait()
				if len(out.String()) != before {
					t.Errorf("drew %q while measuring", out.String()[before:])
				}
				d.Phase(Phase{Text: "cluster down"})
				before = len(out.String())
				time.Sleep(time.Minute + time.Millisecond)
				synctest.Wait()
				if len(out.String()) == before {
					t.Error("drew nothing after measuring")
				}
			})
		})
	}
}

func TestLineFitsTheTerminalAndErasesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		d := New(Terminal{Writer: &out, Redraws: true, Width: func() int { return 20 }}, Auto)
		d.Phase(Phase{Part: "[1/2] a trial", Text: "populate"})
		if !strings.HasSuffix(out.String(), "⠋ populate") {
			t.Errorf("the phase is not to be seen in %q", out.String())
		}
		d.Phase(Phase{Text: strings.Repeat("long ", 10)})
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		d.Line("stays")
		d.Close()
		for i, drawn := range strings.Split(out.String(), erase) {
			if kept, ok := strings.CutSuffix(drawn, "\n"); ok {
				drawn = kept
			} else if strings.Contains(drawn, "\n") {
				t.Errorf("line %d breaks: %q", i, drawn)
			}
			if n := len([]rune(drawn)); n > 19 {
				t.Errorf("line %d has %d characters: %q", i, n, drawn)
			}
		}
		if !strings.Contains(out.String(), erase+"stays\n") {
			t.Errorf("the line that stays is missing in %q", out.String())
		}
		if !strings.HasSuffix(out.String(), erase) {
			t.Errorf("the end %q leaves the line behind", out.String())
		}
	})
}

func TestRough(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1400 * time.Millisecond: "1 s",
		59 * time.Second:        "59 s",
		90 * time.Second:        "2 min",
		125 * time.Minute:       "2 h 10 min",
		3 * time.Hour:           "3 h",
		179 * time.Minute:       "3 h",
	} {
		if got := Rough(d); got != want {
			t.Errorf("Rough(%v) = %q, want %q", d, got, want)
		}
	}
}
