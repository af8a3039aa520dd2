package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/runners"
)

// watcher shows a person how a run goes on.
type watcher struct {
	display progress.Display
	// stopped says that the user has ended the run.
	stopped func() bool

	mu       sync.Mutex
	estimate []time.Duration // of all trials, in their order
	spent    time.Duration   // by the trials that have ended
	total    int
	n        int // of the trial under way, from 1
	trial    string
}

var _ runners.Observer = (*watcher)(nil)

func newWatcher(ctx context.Context, display progress.Display, plan *runners.Plan) *watcher {
	w := &watcher{display: display, stopped: func() bool { return ctx.Err() != nil }}
	for _, t := range plan.Results() {
		w.estimate = append(w.estimate, time.Duration(t.Estimate*float64(time.Second)))
	}
	return w
}

// TrialStarted is part of runners.Observer.
func (w *watcher) TrialStarted(t results.PlannedTrial, n, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n, w.total = n, total
	w.trial = fmt.Sprintf("[%d/%d] %s %s %s, block %d", n, total, t.Scenario, pointText(t.Point), results.ModeName(t.Mode, t.Variant), t.Block)
	w.display.Left(w.left())
}

// left is the estimate for what remains, corrected by how wrong the estimate
// was so far.
func (w *watcher) left() time.Duration {
	var past, future time.Duration
	for i, e := range w.estimate {
		if i < w.n-1 {
			past += e
		} else {
			future += e
		}
	}
	if past == 0 {
		return future
	}
	return time.Duration(float64(future) * float64(w.spent) / float64(past))
}

// Phase is part of runners.Observer.
func (w *watcher) Phase(name string, measuring bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.display.Phase(progress.Phase{Part: w.trial, Text: name, Measuring: measuring})
}

// Step is part of runners.Observer.
func (w *watcher) Step(done, total int) {
	w.display.Detail(fmt.Sprintf("%s of %s", thousands(done), thousands(total)))
}

// TrialEnded is part of runners.Observer.
func (w *watcher) TrialEnded(t *results.Trial, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spent += took
	switch {
	case t.Status == results.Complete:
		w.display.Line(fmt.Sprintf("✓ %s: %s", w.trial, strings.Join(append(highlights(t), "took "+progress.Rough(took)), ", ")))
	case w.stopped():
		w.display.Line(fmt.Sprintf("- %s given up after %s", w.trial, progress.Rough(took)))
	default:
		w.display.Line(fmt.Sprintf("✗ %s failed after %s: %s", w.trial, progress.Rough(took), t.Error))
	}
}

// Warning is part of runners.Observer.
func (w *watcher) Warning(message string) { w.display.Line("! " + message) }

// highlights are the figures of a trial worth a glance while others follow.
func highlights(t *results.Trial) []string {
	var texts []string
	for _, h := range t.Histograms {
		if h.Class != results.ClassAll || h.Metric != results.Path && h.Metric != results.Connect {
			continue
		}
		histogram, err := stats.Decode(h.HDR)
		if err != nil || histogram.Count() == 0 {
			continue // the report will complain
		}
		texts = append(texts, fmt.Sprintf("%s p50 %.3g µs", h.Metric, float64(histogram.Quantile(0.5))/1e3))
	}
	return texts
}

func pointText(p results.Point) string {
	return fmt.Sprintf("%s×%d", thousands(p.Services), p.Endpoints)
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
