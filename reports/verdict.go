package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// Verdict says what a ratio to the baseline means.
type Verdict string

// The verdicts. The empty one is the absence of a judgement: for the baseline
// itself, for metrics that are none (a rule count), and below
// stats.LeastExact blocks.
const (
	// Better and Worse are differences that are shown, the interval excludes
	// 1, and that matter: they are larger than Relevant.
	Better Verdict = "better"
	Worse  Verdict = "worse"
	// Slight is a difference that is shown and does not matter.
	Slight Verdict = "slight"
	// Equivalent is an interval that lies within Relevant of 1 on both sides: if
	// there is a difference, it does not matter.
	Equivalent Verdict = "equivalent within 5%"
	// NoDifference is an interval that contains 1 and more.
	NoDifference Verdict = "no difference shown"
	// NotComparable is given when time-outs or errors make a ratio
	// meaningless, or the numbers of two modes are of different things.
	NotComparable Verdict = "not comparable"
)

// Class is the CSS class of a verdict that takes a side, else "".
func (v Verdict) Class() string {
	if v == Better || v == Worse {
		return string(v)
	}
	return ""
}

const (
	// Relevant is the smallest relative difference that is called one, for
	// every metric: below it, a difference may be real and still be nothing
	// to choose a mode by. It is that of the larger number to the smaller, so
	// that the other baseline would give the opposite verdict.
	Relevant = 0.05
	// TolerableErrors is the share of failed attempts above which latencies
	// of the successful ones are not compared.
	TolerableErrors = 0.01
)

// compare fills the ratio and the verdict of a row from the same metric of
// the baseline, whose place is baseline. Only blocks in which both were
// measured count.
func (r *Row) compare(m, base *measure, baseline Where) {
	if base == nil {
		if judged(r.Metric) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the baseline %s has no such number here", r.against))
		}
		return
	}
	if reason := cmp.Or(r.unlike(baseline), incomparable(m, base)); reason != "" {
		r.Warnings = append(r.Warnings, reason)
		if judged(r.Metric) {
			r.Verdict = NotComparable
		}
		return
	}
	var ours, theirs []float64
	for _, block := range slices.Sorted(maps.Keys(m.blocks)) {
		if v, ok := base.blocks[block]; ok {
			ours, theirs = append(ours, m.blocks[block]), append(theirs, v)
		}
	}
	ratio, ok := stats.MedianRatio(ours, theirs)
	if !ok {
		reason := noRatio + "no block has this number of both modes"
		if len(ours) > 0 {
			reason = noRatio + "a value is 0"
		}
		r.Warnings = append(r.Warnings, reason)
		return
	}
	r.tests(ours, theirs)
	r.Ratio, r.RatioLo, r.RatioHi, r.Pairs = Number(ratio.Estimate), Number(ratio.Lo), Number(ratio.Hi), ratio.N
	if !judged(r.Metric) {
		return
	}
	if ratio.N < stats.LeastExact {
		r.Warnings = append(r.Warnings, fewBlocks(ratio.N))
		return
	}
	r.Verdict = verdictOf(r.Metric, ratio)
}

// bootstrapSeed is fixed, so that a report is the same whenever it is drawn.
const bootstrapSeed = 1

// tests adds what stands beside the interval of a ratio.
func (r *Row) tests(ours, theirs []float64) {
	logs := make([]float64, len(ours))
	for i := range ours {
		logs[i] = math.Log(ours[i] / theirs[i])
	}
	r.P = Number(stats.SignedRank(logs))
	if boot, ok := stats.BootstrapRatio(ours, theirs, bootstrapSeed); ok && boot.Method != stats.None {
		r.BootLo, r.BootHi = Number(boot.Lo), Number(boot.Hi)
	}
}

func fewBlocks(n int) string {
	text := fmt.Sprintf("%s: an estimate, no verdict; that takes at least %d", count(n, "block"), stats.LeastExact)
	if n > 1 {
		text += ", and with fewer the interval trusts that blocks scatter normally"
	}
	return text
}

// verdictOf judges a ratio of a metric.
func verdictOf(metric string, ratio stats.Interval) Verdict {
	if results.HigherIsBetter(metric) {
		ratio.Estimate, ratio.Lo, ratio.Hi = 1/ratio.Estimate, 1/ratio.Hi, 1/ratio.Lo
	}
	matters := func(ratio float64) bool { return math.Abs(math.Log(ratio)) > math.Log1p(Relevant) }
	switch {
	case !matters(ratio.Lo) && !matters(ratio.Hi):
		return Equivalent
	case !ratio.Excludes(1):
		return NoDifference
	case !matters(ratio.Estimate):
		return Slight
	case ratio.Estimate < 1:
		return Better
	}
	return Worse
}

// incomparable says why two measures have no ratio; "" if they have one.
func incomparable(m, base *measure) string {
	if why := cmp.Or(m.unfit("this mode"), base.unfit("the baseline")); why != "" {
		return noRatio + why
	}
	return ""
}

// unfit says why no ratio can rest on a measure, which has that name; "" if one can.
func (m *measure) unfit(name string) string {
	switch {
	case m.untrusted != "":
		return "a trial of " + name + " cannot be trusted: " + m.untrusted
	case m.bounded(), len(m.blocks) == 0:
		return "the number of " + name + " is a lower bound in at least one block"
	case float64(m.errors) > TolerableErrors*float64(m.errors+m.samples):
		return fmt.Sprintf("more than %g%% of the attempts of %s failed", 100*TolerableErrors, name)
	}
	return ""
}
