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
func Compare(old, fresh *results.Data, across bool) (*Comparison, error) {
	before, err := analyse(old, Options{})
	if err != nil {
		return nil, err
	}
	after, err := analyse(fresh, Options{})
	if err != nil {
		return nil, err
	}
	c := &Comparison{
		Old: old.Run.ID, New: fresh.Run.ID, Environment: differences(old, fresh),
		Settings: []results.Difference{}, Rows: []Compared{}, OnlyOld: []Where{}, OnlyNew: []Where{}, Lost: []Lost{},
	}
	var other []results.Difference
	for _, s := range after.scenarios {
		if was := before.scenario(s.Name); was != nil {
			settings, work, err := settingsOf(was, s)
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
	c.rows(before, after)
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
	return failure.New(failure.Invalid, fmt.Errorf("the runs differ in more than what is compared:%s", strings.Join(lines, "")),
		"run both on one machine, or insist with --across-environments")
}

// scenario returns the one of that name; nil if there is none.
func (a *analysis) scenario(name string) *scenario {
	for _, s := range a.scenarios {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// rows compares every number that both runs have.
func (c *Comparison) rows(before, after *analysis) {
	for _, s := range after.scenarios {
		was := before.scenario(s.Name)
		for _, p := range s.points {
			for _, mode := range s.modes {
				now := s.cell(p, mode)
				if now == nil {
					continue
				}
				if was == nil || was.cell(p, mode) == nil || was.cell(p, mode).variant != now.variant {
					c.OnlyNew = append(c.OnlyNew, s.where(p, mode))
					continue
				}
				c.cell(s.where(p, mode), was.cell(p, mode).measures(), now.measures())
			}
		}
	}
	for _, s := range before.scenarios {
		is := after.scenario(s.Name)
		for at, cell := range s.cells {
			if is == nil || is.cell(at.point, at.mode) == nil || is.cell(at.point, at.mode).variant != cell.variant {
				c.OnlyOld = append(c.OnlyOld, s.where(at.point, at.mode))
			}
		}
	}
	slices.SortFunc(c.OnlyOld, func(a, b Where) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// cell compares the numbers of one mode at one point.
func (c *Comparison) cell(w Where, before, after map[string]*measure) {
	for _, metric := range slices.SortedFunc(maps.Keys(after), compareMetrics) {
		is, was := after[metric], before[metric]
		if was == nil {
			continue
		}
		row := Compared{
			Where: w, Metric: metric, Unit: is.unit, Old: Number(was.estimate.Estimate), New: Number(is.estimate.Estimate),
			NOld: len(was.blocks), NNew: len(is.blocks), Warnings: []string{},
			Ratio: unknown(), RatioLo: unknown(), RatioHi: unknown(), P: unknown(), Adjusted: unknown(), Delta: unknown(),
		}
		row.fill(values(was), values(is), incomparable(is, was))
		c.Rows = append(c.Rows, row)
	}
	for _, metric := range slices.SortedFunc(maps.Keys(before), compareMetrics) {
		if after[metric] == nil && headline(metric) && judged(metric) {
			c.Lost = append(c.Lost, Lost{w, metric})
		}
	}
}

// values are those of the blocks of a measure, in their order.
func values(m *measure) []float64 {
	all := make([]float64, 0, len(m.blocks))
	for _, block := range slices.Sorted(maps.Keys(m.blocks)) {
		all = append(all, m.blocks[block])
	}
	return all
}

// fill compares values of blocks, unless there is a reason not to.
func (r *Compared) fill(before, after []float64, reason string) {
	if reason != "" {
		r.Warnings = append(r.Warnings, strings.NewReplacer("this mode", "the new run", "the baseline", "the old run").Replace(reason))
		if judged(r.Metric) {
			r.Verdict = NotComparable
		}
		return
	}
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
	r.Verdict = verdictOf(ratio)
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
		if shown && (r.Ratio > 1) == (v == Worse) && math.Abs(math.Log(float64(r.Ratio))) > math.Log1p(share) {
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
