// Package reports turns a run directory into what people and programs read:
// the summary with its intervals and verdicts, and the pages drawn from it.
// The same run gives the same bytes, whenever and wherever it is drawn.
package reports

import (
	"time"

	"svcbench/internal/results"
)

// Options change what a report compares.
type Options struct {
	// Baseline is the mode every ratio is relative to; empty means each
	// scenario's own.
	Baseline string
}

// Summary is everything derived from a run. It is the object that
// "svcbench report -o json" prints.
type Summary struct {
	Run         RunInfo     `json:"run"`
	Environment Environment `json:"environment"`
	Trials      TrialCounts `json:"trials"`
	// Findings are the sentences at the top of the report, the scenario's
	// headline first.
	Findings []Finding `json:"findings"`
	// Rows are ordered by scenario, point, metric and mode.
	Rows []Row `json:"rows"`
	// Missed are the objectives of scenarios that are not met.
	Missed []Missed `json:"missed,omitempty"`
	// Missing are the metrics that were asked for and not measured.
	Missing []Absence `json:"missing"`
	// Failed are the trials that did not finish; they are in no row.
	Failed []FailedTrial `json:"failed"`
	// Warnings are doubts about the numbers. Those about one metric are
	// also in its rows.
	Warnings []Doubt `json:"warnings"`

	analysis *analysis
}

// RunInfo identifies a run.
type RunInfo struct {
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Command  string    `json:"command"`
	Seed     uint64    `json:"seed"`
	Provider string    `json:"provider"`
	// Rates are the rates of connections that the run chose.
	Rates []results.ChosenRate `json:"rates,omitempty"`
	// Interrupted says why the run ended early.
	Interrupted string               `json:"interrupted,omitempty"`
	Modes       []results.ModeStatus `json:"modes"`
}

// TrialCounts says how much of the plan was carried out.
type TrialCounts struct {
	Planned  int `json:"planned"`
	Complete int `json:"complete"`
	Failed   int `json:"failed"`
	// NotRun are the planned trials without a result of any kind.
	NotRun int `json:"notRun"`
	// Checked are the trials in which correctness was checked before anything
	// was measured, Incorrect those of them in which Services were wrong.
	Checked   int `json:"checked"`
	Incorrect int `json:"incorrect"`
}

// Row is one number: a metric of a mode at a point of a scenario.
type Row struct {
	Scenario string `json:"scenario"`
	Mode     string `json:"mode"`
	// Variant is what the mode was set up as, such as "tc".
	Variant  string        `json:"variant,omitempty"`
	Provider string        `json:"provider"`
	Point    results.Point `json:"point"`
	// Metric is the dotted, stable name with its percentile.
	Metric string `json:"metric"`
	// Unit is "s", "bytes", "count", "count/s" or "ratio".
	Unit string `json:"unit"`
	// Estimate is the percentile of the samples of all blocks together, or
	// the median over blocks of a metric with one value per trial. Lo and
	// Hi are its 95% interval, null with a single block or with lower
	// bounds among the blocks.
	Estimate Number `json:"estimate"`
	Lo       Number `json:"lo"`
	Hi       Number `json:"hi"`
	// AtLeast means that the estimate falls among the censored samples:
	// the true value is larger.
	AtLeast bool `json:"atLeast,omitempty"`
	// N is the number of blocks, the unit that was repeated.
	N int `json:"n"`
	// Samples is the number of all samples, Censored how many of them timed
	// out. Both count trials for a metric with one value per trial.
	Samples  int64 `json:"samples"`
	Censored int64 `json:"censored"`
	// Errors counts attempts that failed and are not among the samples.
	Errors int64 `json:"errors,omitempty"`
	// Baseline is the mode that Ratio compares with.
	Baseline string `json:"baseline"`
	// Ratio is the median over blocks of this mode's value divided by the
	// baseline's in the same block; null for the baseline itself. RatioLo
	// and RatioHi are its 95% interval.
	Ratio   Number `json:"ratio"`
	RatioLo Number `json:"ratioLo"`
	RatioHi Number `json:"ratioHi"`
	// BootLo and BootHi are the ends of a second interval of Ratio, by the seeded
	// bootstrap over blocks; see stats.BootstrapRatio.
	BootLo Number `json:"bootLo"`
	BootHi Number `json:"bootHi"`
	// P is that of Wilcoxon's signed-rank test of the ratios, Adjusted that after
	// Holm over all judged headline numbers of the scenario; null for others.
	P        Number `json:"p"`
	Adjusted Number `json:"adjustedP"`
	// Pairs is the number of blocks that Ratio rests on: those in which both
	// modes have the metric.
	Pairs    int      `json:"pairs,omitempty"`
	Verdict  Verdict  `json:"verdict"`
	Warnings []string `json:"warnings"`

	// against is how people read the baseline.
	against string
	// blocks are the values of single blocks, bounds those of them that are
	// lower bounds.
	blocks map[int]float64
	bounds map[int]bool
	// untrusted says why a trial that the row rests on cannot be trusted.
	untrusted string
}

// label is how people read the row's mode.
func (r Row) label() string { return results.ModeName(r.Mode, r.Variant) }

// Finding is one sentence about a scenario, and the point and metric of the
// rows that it puts in words.
type Finding struct {
	Scenario string        `json:"scenario"`
	Point    results.Point `json:"point,omitzero"`
	Metric   string        `json:"metric,omitempty"`
	Text     string        `json:"text"`
}

// Where is the place that a note of a trial is about.
type Where struct {
	Scenario string        `json:"scenario"`
	Point    results.Point `json:"point"`
	Mode     string        `json:"mode"`
	Variant  string        `json:"variant,omitempty"`
}

// label is how people read the mode of the place.
func (w Where) label() string { return results.ModeName(w.Mode, w.Variant) }

// Absence is a metric, or the prefix of several, that was not measured.
type Absence struct {
	Where
	Metric  string `json:"metric"`
	Because string `json:"because"`
	// Blocks are those it is missing from.
	Blocks []int `json:"blocks"`
}

// FailedTrial is a trial that did not finish.
type FailedTrial struct {
	Where
	ID    string `json:"id"`
	Block int    `json:"block"`
	Error string `json:"error"`
}

// Doubt is a warning about the metrics that begin with Metric; an empty
// Metric concerns all of them.
type Doubt struct {
	Where
	Metric  string `json:"metric,omitempty"`
	Message string `json:"message"`
	Blocks  []int  `json:"blocks"`
}
