package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/runners"
)

// watcher shows a person how a run goes on. Its lanes are told.
type watcher struct {
	display progress.Display
	// stopped says that the user has ended the run.
	stopped func() bool
	atATime int
	// known says that the estimates are those of this machine. Others are
	// worth something only in proportion to what trials have taken.
	known bool

	mu       sync.Mutex
	expected []results.PlannedTrial // those that have not ended
	total    int
	begun    int
	ended    int
	guessed  time.Duration // what was expected of those that have ended
	spent    time.Duration // what they have taken
	lanes    []*lane       // those with a trial under way
}

// newWatcher returns a watcher of trials of which atATime are under way at a
// time.
func newWatcher(ctx context.Context, display progress.Display, atATime int) *watcher {
	return &watcher{display: display, stopped: func() bool { return ctx.Err() != nil }, atATime: atATime, known: true}
}

// expect says which trials there will be.
func (w *watcher) expect(plan []results.PlannedTrial) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total, w.expected = len(plan), slices.Clone(plan)
}

// left is the estimate for what remains, corrected by how wrong the estimate
// was so far. What belongs together is measured one after the other, however
// many are under way at a time.
func (w *watcher) left() (left time.Duration, known bool) {
	together := map[results.PlannedTrial]time.Duration{}
	var sum, longest time.Duration
	for _, t := range w.expected {
		its := results.PlannedTrial{Scenario: t.Scenario, Point: t.Point, Block: t.Block}
		together[its] += estimateOf(t)
		longest = max(longest, together[its])
		sum += estimateOf(t)
	}
	left = sum / time.Duration(w.atATime)
	if w.atATime > 1 {
		left = max(left, longest)
	}
	if w.guessed == 0 {
		return left, w.known
	}
	return time.Duration(float64(left) * float64(w.spent) / float64(w.guessed)), true
}

func estimateOf(t results.PlannedTrial) time.Duration {
	return time.Duration(t.Estimate * float64(time.Second))
}

// lane is told of trials that come one after the other.
type lane struct {
	*watcher
	trial, phase string
}

var _ runners.Observer = (*lane)(nil)

// lane returns a new lane.
func (w *watcher) lane() *lane { return &lane{watcher: w} }

// TrialStarted is part of runners.Observer.
func (l *lane) TrialStarted(t results.PlannedTrial, _, _ int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	l.trial = fmt.Sprintf("[%d/%d] %s %s %s, block %d", l.begun, l.total, t.Scenario, pointText(t.Point), results.ModeName(t.Mode, t.Variant), t.Block)
	l.phase = ""
	l.lanes = append(l.lanes, l)
	if left, known := l.left(); known {
		l.display.Left(left)
	}
	l.displayAll()
}

// Phase is part of runners.Observer.
func (l *lane) Phase(name string, measuring bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = name
	if l.atATime == 1 {
		l.display.Phase(progress.Phase{Part: l.trial, Text: name, Measuring: measuring})
		return
	}
	l.displayDetail()
}

// displayAll shows how many trials there are and have been, if several are
// under way at a time.
func (w *watcher) displayAll() {
	if w.atATime > 1 {
		w.display.Phase(progress.Phase{Text: fmt.Sprintf("%d of %s over, %d under way", w.ended, counted(w.total, "trial"), len(w.lanes))})
		w.displayDetail()
	}
}

// displayDetail shows where the trials under way are.
func (w *watcher) displayDetail() {
	var all []string
	for _, l := range w.lanes {
		all = append(all, strings.TrimSpace(l.trial+" "+l.phase))
	}
	w.display.Detail(strings.Join(all, "; "))
}

// Step is part of runners.Observer.
func (l *lane) Step(done, total int) {
	if l.atATime == 1 {
		l.display.Detail(fmt.Sprintf("%s of %s", thousands(done), thousands(total)))
	}
}

// TrialEnded is part of runners.Observer.
func (l *lane) TrialEnded(t *results.Trial, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended++
	l.spent += took
	l.expected = slices.DeleteFunc(l.expected, func(e results.PlannedTrial) bool {
		if e.ID == t.ID {
			l.guessed += estimateOf(e)
		}
		return e.ID == t.ID
	})
	l.away()
	switch {
	case t.Status == results.Complete:
		l.display.Line(fmt.Sprintf("✓ %s: %s", l.trial, strings.Join(append(highlights(t), "took "+progress.Rough(took)), ", ")))
	case l.stopped():
		l.display.Line(fmt.Sprintf("- %s given up after %s", l.trial, progress.Rough(took)))
	default:
		l.display.Line(fmt.Sprintf("✗ %s failed after %s: %s", l.trial, progress.Rough(took), t.Error))
	}
}

// leave ends the lane, whether its trial has ended or not.
func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away()
}

// away takes the lane from those with a trial under way.
func (l *lane) away() {
	l.lanes = slices.DeleteFunc(l.lanes, func(other *lane) bool { return other == l })
}

// Warning is part of runners.Observer.
func (l *lane) Warning(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lanes) > 1 {
		message = l.trial + ": " + message
	}
	l.display.Line("! " + message)
}

// highlights are the figures of a trial worth a glance while others follow.
func highlights(t *results.Trial) []string {
	var texts []string
	for _, h := range highlighted(t.Histograms) {
		histogram, err := stats.Decode(h.HDR)
		if err != nil || histogram.Count() == 0 {
			continue // the report will complain
		}
		texts = append(texts, fmt.Sprintf("%s p50 %.3g µs", h.Metric, float64(histogram.Quantile(0.5))/1e3))
	}
	return texts
}

// highlighted are the histograms that highlights needs.
func highlighted(all []results.Histogram) []results.Histogram {
	var some []results.Histogram
	for _, h := range all {
		if h.Class == results.ClassAll && (h.Metric == results.Path || h.Metric == results.Connect) {
			some = append(some, h)
		}
	}
	return some
}

func pointText(p results.Point) string {
	text := fmt.Sprintf("%s×%d", thousands(p.Services), p.Endpoints)
	return strings.TrimSpace(text + " " + p.Extras())
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
