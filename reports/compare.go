package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// Comparison is what a new run says beside an old one.
type Comparison struct {
	// Old and New name the runs.
	Old string `json:"old"`
	New string `json:"new"`
	// Environment is in what the two differ that decides numbers, and Settings in
	// what their scenarios do.
	Environment []results.Difference `json:"environment"`
	Settings    []results.Difference `json:"settings"`
	// Rows are ordered as those of a Summary.
	Rows []Compared `json:"rows"`
	// Blocks is how many blocks of each run it takes until a headline number can have
	// a verdict among so many.
	Blocks int `json:"blocksForVerdicts"`
	// OnlyOld and OnlyNew are the modes at points of scenarios that the other run
	// does not have.
	OnlyOld []Where `json:"onlyOld"`
	OnlyNew []Where `json:"onlyNew"`
	// Lost are headline numbers that the new run does not have of them.
	Lost []Lost `json:"lost"`
}

// Lost is a number that only the old run has.
type Lost struct {
	Where
	Metric string `json:"metric"`
}

// Compared is one number of both runs.
type Compared struct {
	Where
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	// Old and New are the estimates, NOld and NNew the blocks they rest on.
	Old  Number `json:"oldEstimate"`
	New  Number `json:"newEstimate"`
	NOld int    `json:"nOld"`
	NNew int    `json:"nNew"`
	// Ratio is by what factor the values of the new run are larger, with its 95%
	// interval; see stats.RankRatio.
	Ratio   Number `json:"ratio"`
	RatioLo Number `json:"ratioLo"`
	RatioHi Number `json:"ratioHi"`
	// P is that of the Mann-Whitney test, Adjusted that after Holm over all judged
	// headline numbers of the comparison; null for others.
	P        Number `json:"p"`
	Adjusted Number `json:"adjustedP"`
	// Delta is Cliff's: how much values of the new run tend to be larger.
	Delta    Number   `json:"cliffsDelta"`
	Verdict  Verdict  `json:"verdict"`
	Warnings []string `json:"warnings"`
}

// leastRanks is the smallest number of blocks on each side of which a test can say
// anything.
const leastRanks = 4

// Compare sets a new run beside an old one. Runs whose environments differ in what
// decides numbers, or whose scenarios measure other things, are not compared unless
// across is true: the error names the differences.
func Compare(old, fresh *Baseline, across bool) (*Comparison, error) {
	c := &Comparison{
		Old: old.Run, New: fresh.Run, Environment: differences(old, fresh),
		Settings: []results.Difference{}, Rows: []Compared{}, OnlyOld: []Where{}, OnlyNew: []Where{}, Lost: []Lost{},
	}
	var other []results.Difference
	for _, name := range slices.Sorted(maps.Keys(fresh.Scenarios)) {
		if was, ok := old.Scenarios[name]; ok {
			settings, work, err := settingsOf(name, was, fresh.Scenarios[name])
			if err != nil {
				return nil, err
			}
			c.Settings, other = append(c.Settings, settings...), append(other, work...)
		}
	}
	if refused := slices.Concat(c.Environment, other); len(refused) > 0 && !across {
		return nil, refuse(refused)
	}
	c.Settings = append(c.Settings, other...)
	c.rows(old, fresh)
	if len(c.Rows) == 0 {
		return nil, failure.New(failure.Usage, fmt.Errorf("runs %s and %s have no scenario, point and mode in common", c.Old, c.New), "")
	}
	c.judge()
	return c, nil
}

// refuse is the error of runs that are not to be compared.
func refuse(all []results.Difference) error {
	lines := make([]string, len(all))
	for i, d := range all {
		lines[i] = fmt.Sprintf("\n  %s: %s, then %s", d.What, cmp.Or(d.Old, "nothing"), cmp.Or(d.New, "nothing"))
	}
	hint := "run both on one machine, or insist with --across-environments"
	if i := slices.IndexFunc(all, func(d results.Difference) bool { return strings.HasPrefix(d.What, "traffic.connect.rate ") }); i >= 0 {
		hint = fmt.Sprintf("set traffic.connect.rate: %s in the scenario, or insist with --across-environments", cmp.Or(all[i].Old, "…"))
	}
	return failure.New(failure.Invalid, fmt.Errorf("the runs differ in more than what is compared:%s", strings.Join(lines, "")), hint)
}

// rows compares every number that both runs have.
func (c *Comparison) rows(old, fresh *Baseline) {
	for _, now := range fresh.Cells {
		if was := old.cell(now.Where); was != nil {
			c.cell(was, now)
		} else {
			c.OnlyNew = append(c.OnlyNew, now.Where)
		}
	}
	for _, was := range old.Cells {
		if fresh.cell(was.Where) == nil {
			c.OnlyOld = append(c.OnlyOld, was.Where)
		}
	}
}

// cell compares the numbers of one mode at one point.
func (c *Comparison) cell(before map[string]BaselineNumber, now BaselineCell) {
	for _, is := range now.Numbers {
		was, ok := before[is.Metric]
		if !ok {
			continue
		}
		delete(before, is.Metric)
		row := Compared{
			Where: now.Where, Metric: is.Metric, Unit: is.Unit, Old: was.Estimate, New: is.Estimate,
			NOld: len(was.Values), NNew: len(is.Values), Warnings: []string{},
			Ratio: unknown(), RatioLo: unknown(), RatioHi: unknown(), P: unknown(), Adjusted: unknown(), Delta: unknown(),
		}
		row.fill(was, is)
		c.Rows = append(c.Rows, row)
	}
	for _, metric := range slices.SortedFunc(maps.Keys(before), compareMetrics) {
		if headline(metric) && judged(metric) {
			c.Lost = append(c.Lost, Lost{now.Where, metric})
		}
	}
}

// fill compares values of blocks, unless there is a reason not to.
func (r *Compared) fill(was, is BaselineNumber) {
	reason := cmp.Or(strings.Replace(is.Unfit, someRun, "the new run", 1), strings.Replace(was.Unfit, someRun, "the old run", 1))
	if reason != "" {
		r.Warnings = append(r.Warnings, noRatio+reason)
		if judged(r.Metric) {
			r.Verdict = NotComparable
		}
		return
	}
	before, after := was.values(), is.values()
	ratio, ok := stats.RankRatio(after, before)
	if !ok {
		r.Warnings = append(r.Warnings, noRatio+"a value is 0")
		return
	}
	r.Ratio, r.RatioLo, r.RatioHi = Number(ratio.Estimate), Number(ratio.Lo), Number(ratio.Hi)
	r.Delta = Number(stats.CliffsDelta(after, before))
	if p, err := stats.RankSum(after, before); err == nil {
		r.P = Number(p)
	}
	if !judged(r.Metric) {
		return
	}
	if ratio.Method == stats.None {
		if !headline(r.Metric) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%d and %d blocks: an estimate, no verdict; that takes at least %d and %d", r.NOld, r.NNew, leastRanks, leastRanks))
		}
		return
	}
	r.Verdict = verdictOf(r.Metric, ratio)
}

// judge adjusts the p-values of headline numbers for how many they are. What is not
// shown then is not shown.
func (c *Comparison) judge() {
	var family []int
	var p []float64
	for i, r := range c.Rows {
		if headline(r.Metric) && judged(r.Metric) && r.P.Known() {
			family, p = append(family, i), append(p, float64(r.P))
		}
	}
	c.Blocks = blocksFor(len(p))
	for k, adjusted := range stats.Holm(p) {
		r := &c.Rows[family[k]]
		r.Adjusted = Number(adjusted)
		if min(r.NOld, r.NNew) < c.Blocks {
			r.Verdict = ""
			r.Warnings = append(r.Warnings, fmt.Sprintf("%d and %d blocks are too few for a verdict among %s: that takes %d and %d", r.NOld, r.NNew, count(len(p), "number"), c.Blocks, c.Blocks))
			continue
		}
		if shown := r.Verdict == Better || r.Verdict == Worse || r.Verdict == Slight; shown && adjusted > 1-stats.Confidence {
			r.Verdict = NoDifference
			r.Warnings = append(r.Warnings, fmt.Sprintf("among %s one differs so much by chance (p = %.2g, adjusted %.2g)", count(len(p), "number"), float64(r.P), adjusted))
		}
	}
}

// blocksFor is how many blocks of each run it takes until a number can differ by more
// than chance among so many: until the least probable order of ranks is improbable
// enough for all of them together.
func blocksFor(numbers int) int {
	for n := leastRanks; ; n++ {
		choices := 1.0 // of n among 2n
		for i := 1; i <= n; i++ {
			choices *= float64(n+i) / float64(i)
		}
		if float64(numbers)*2/choices <= 1-stats.Confidence {
			return n
		}
	}
}

// Beyond returns the headline numbers that are worse or better by more than a share:
// not by chance, and whether or not that much would matter elsewhere.
func (c *Comparison) Beyond(v Verdict, share float64) []Compared {
	var all []Compared
	for _, r := range c.Rows {
		shown := r.Verdict != "" && r.Adjusted.Known() && r.Adjusted <= 1-stats.Confidence && (r.RatioLo > 1 || r.RatioHi < 1)
		worse := (r.Ratio > 1) != results.HigherIsBetter(r.Metric)
		if shown && worse == (v == Worse) && math.Abs(math.Log(float64(r.Ratio))) > math.Log1p(share) {
			all = append(all, r)
		}
	}
	return all
}

// Unjudged says what of the old run could not be judged in the new one: the first
// such number, and how many there are.
func (c *Comparison) Unjudged() (first string, n int) {
	add := func(text string) {
		if n++; n == 1 {
			first = text
		}
	}
	for _, r := range c.Rows {
		if headline(r.Metric) && judged(r.Metric) && (r.Verdict == "" || r.Verdict == NotComparable) {
			add(fmt.Sprintf("%s with %s at %s: %s", r.Metric, r.label(), pointName(r.Point), cmp.Or(strings.Join(r.Warnings, "; "), "no verdict")))
		}
	}
	for _, l := range c.Lost {
		add(fmt.Sprintf("%s with %s at %s is in the old run alone", l.Metric, l.label(), pointName(l.Point)))
	}
	for _, w := range c.OnlyOld {
		add(fmt.Sprintf("%s at %s is in the old run alone", w.label(), pointName(w.Point)))
	}
	return first, n
}
