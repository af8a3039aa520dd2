package reports

import (
	"slices"

	"svcbench/internal/results"
)

// lagPairs are the instruments that tell how late they were, each with the
// metric that its lateness spoils.
func lagPairs() [][2]string {
	return [][2]string{
		{results.ConnectLag, results.Connect},
		{results.HTTPKeepAlive + results.Lag, results.HTTPKeepAlive},
		{results.HTTPNew + results.Lag, results.HTTPNew},
	}
}

// lagDoubts warns where a load generator was late by more than half of what
// it measured: it was short of CPU then, and so may have been everything else
// on the machine. Where the trial itself has warned of it, that is enough.
func (a *analysis) lagDoubts() []Doubt {
	var all []Doubt
	for _, s := range a.scenarios {
		for _, p := range s.points {
			for _, mode := range s.modes {
				if c := s.cell(p, mode); c != nil {
					all = append(all, c.lagDoubts(s.Name)...)
				}
			}
		}
	}
	return all
}

func (c *cell) lagDoubts(scenario string) []Doubt {
	var all []Doubt
	for _, pair := range lagPairs() {
		lag, measured := c.merged(pair[0], results.ClassAll), c.merged(pair[1], results.ClassAll)
		warned := slices.ContainsFunc(c.doubts(), func(d Doubt) bool { return d.Metric == pair[1] })
		if lag == nil || measured == nil || warned {
			continue
		}
		late, okLag := lag.Quantile(0.99)
		took, okTook := measured.Quantile(0.99)
		if !okLag || !okTook || 2*late.NS <= took.NS {
			continue
		}
		d := Doubt{
			Where: Where{scenario, c.point, c.mode}, Metric: pair[1],
			// The same words everywhere make one footnote; the numbers are
			// in the table of the validity section.
			Message: "the load was sent late: by more than half of the latency itself, at the 99th percentile of both",
		}
		for _, t := range c.trials {
			d.Blocks = append(d.Blocks, t.Block)
		}
		all = append(all, d)
	}
	return all
}
