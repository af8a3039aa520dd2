package reports

import (
	"cmp"
	"maps"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// Summarize derives every number of a run. Only complete trials count; failed
// ones are listed. The error is one of usage where opts do not fit the run,
// else the run's data are damaged.
func Summarize(data *results.Data, opts Options) (*Summary, error) {
	a, err := analyse(data, opts)
	if err != nil {
		return nil, err
	}
	run := data.Run
	s := &Summary{
		Run: RunInfo{
			ID: run.ID, Started: run.Started, Finished: run.Finished, Command: run.Command, Seed: run.Seed,
			Provider: run.Provider, Interrupted: run.Interrupted, Modes: run.Modes, Rates: run.Rates,
		},
		Environment: Environment{Environment: data.Environment, Clock: data.Environment.Clock()},
		Trials:      countTrials(data),
		Rows:        []Row{},
		analysis:    a,
	}
	for _, sc := range a.scenarios {
		rows := sc.rows()
		missed, err := sc.missed(rows)
		if err != nil {
			return nil, err
		}
		s.Rows, s.Missed = append(s.Rows, rows...), append(s.Missed, missed...)
	}
	s.note(data)
	s.Findings = a.findings(s.Rows)
	return s, nil
}

func countTrials(data *results.Data) TrialCounts {
	n := TrialCounts{Planned: len(data.Run.Plan)}
	for _, t := range data.Trials {
		if t.Status == results.Complete {
			n.Complete++
		} else {
			n.Failed++
		}
	}
	n.NotRun = len(notRun(data))
	c := checksOf(data)
	n.Checked, n.Incorrect = len(c.passed)+len(c.failed), len(c.failed)
	return n
}

// notRun returns the planned trials without a result.
func notRun(data *results.Data) []results.PlannedTrial {
	return slices.DeleteFunc(slices.Clone(data.Run.Plan), func(p results.PlannedTrial) bool {
		return slices.ContainsFunc(data.Trials, func(t *results.Trial) bool { return t.ID == p.ID })
	})
}

// rows returns the numbers of a scenario.
func (s *scenario) rows() []Row {
	var rows []Row
	for _, p := range s.points {
		measured := map[string]map[string]*measure{} // by mode and metric
		metrics := map[string]bool{}
		for _, mode := range s.modes {
			if c := s.cell(p, mode); c != nil {
				measured[mode] = c.measures()
				for metric := range measured[mode] {
					metrics[metric] = true
				}
			}
		}
		for _, metric := range slices.SortedFunc(maps.Keys(metrics), compareMetrics) {
			for _, mode := range s.modes {
				if m := measured[mode][metric]; m != nil {
					rows = append(rows, s.row(s.cell(p, mode), m, measured[s.baseline][metric]))
				}
			}
		}
	}
	adjust(rows)
	return rows
}

// adjust corrects the p-values of the headline numbers of a scenario for how many they
// are.
func adjust(rows []Row) {
	var family []int
	var p []float64
	for i, r := range rows {
		if headline(r.Metric) && judged(r.Metric) && r.P.Known() {
			family, p = append(family, i), append(p, float64(r.P))
		}
	}
	for k, adjusted := range stats.Holm(p) {
		rows[family[k]].Adjusted = Number(adjusted)
	}
}

// compareMetrics orders metrics by family, then by name; percentiles are in
// order within a class, and the headline class is first.
func compareMetrics(a, b string) int {
	_, rankA := familyOf(a)
	_, rankB := familyOf(b)
	return cmp.Or(cmp.Compare(rankA, rankB), cmp.Compare(classRank(a), classRank(b)), cmp.Compare(a, b))
}

// classRank puts the names without a class before those with one.
func classRank(metric string) int {
	f, _ := familyOf(metric)
	for _, p := range headlinePercentiles() {
		if metric == f.name+"."+p.suffix {
			return 0
		}
	}
	return 1
}

func (s *scenario) row(c *cell, m, base *measure) Row {
	r := Row{
		Scenario: s.Name, Mode: c.mode, Variant: c.variant, Provider: c.provider, Point: c.point,
		Metric: m.metric, Unit: m.unit,
		Estimate: Number(m.estimate.Estimate), Lo: Number(m.estimate.Lo), Hi: Number(m.estimate.Hi),
		AtLeast: m.atLeast, N: len(m.blocks), Samples: m.samples, Censored: m.censored, Errors: m.errors,
		Baseline: s.baseline, against: s.label(s.baseline), Ratio: unknown(), RatioLo: unknown(), RatioHi: unknown(),
		BootLo: unknown(), BootHi: unknown(), P: unknown(), Adjusted: unknown(),
		Warnings: append([]string{}, m.warnings...), blocks: m.blocks, bounds: m.bounds, untrusted: m.untrusted,
	}
	if c.mode != s.baseline {
		r.compare(m, base, s.where(c.point, s.baseline))
	}
	return r
}

// note collects what stands beside the numbers: missing metrics, failed
// trials and warnings.
func (s *Summary) note(data *results.Data) {
	s.Missing, s.Failed, s.Warnings = []Absence{}, []FailedTrial{}, []Doubt{}
	for _, t := range data.Trials {
		if t.Status != results.Complete {
			s.Failed = append(s.Failed, FailedTrial{Where: whereOf(t), ID: t.ID, Block: t.Block, Error: t.Error})
			continue
		}
		for _, m := range t.Missing {
			s.addMissing(Absence{Where: whereOf(t), Metric: m.Metric, Because: m.Because}, t.Block)
		}
		for _, w := range t.Warnings {
			s.Warnings = addDoubt(s.Warnings, Doubt{Where: whereOf(t), Metric: w.Metric, Message: w.Message}, t.Block)
		}
	}
	s.Warnings = append(s.Warnings, s.analysis.lagDoubts()...)
	for i := range s.Missing {
		slices.Sort(s.Missing[i].Blocks)
	}
	for i := range s.Warnings {
		slices.Sort(s.Warnings[i].Blocks)
	}
}

func (s *Summary) addMissing(a Absence, block int) {
	for i, have := range s.Missing {
		if have.Where == a.Where && have.Metric == a.Metric && have.Because == a.Because {
			s.Missing[i].Blocks = addBlock(have.Blocks, block)
			return
		}
	}
	a.Blocks = []int{block}
	s.Missing = append(s.Missing, a)
}
