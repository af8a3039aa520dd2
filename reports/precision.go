package reports

import (
	"math"

	"svcbench/internal/results"
)

// Precision is how well a scenario is known: half the width of the widest interval of
// its primary metric, in all modes and at all points, as a share. It is infinite where
// an interval is missing. The primary metric is the first that findings are made of and
// that the scenario has; where only one mode was measured its own interval counts, and
// else that of the ratio to the baseline.
func (s *Summary) Precision(scenario string) (share float64, metric string) {
	sc := s.analysis.scenario(scenario)
	if sc == nil {
		return math.Inf(1), ""
	}
	for _, c := range claims() {
		if !sc.tells(c.metric) {
			continue
		}
		found := false
		share = 0
		for _, p := range sc.points {
			for _, mode := range sc.modes {
				if results.IsAgain(mode) || !sc.alone() && mode == sc.baseline {
					continue
				}
				r := findRow(s.Rows, scenario, p, mode, c.metric)
				if r != nil && r.unlike(sc.where(p, sc.baseline)) != "" {
					continue // it has no ratio by its nature
				}
				width := math.Inf(1)
				if r != nil {
					found = true
					width = r.width(sc.alone())
				}
				share = max(share, width)
			}
		}
		if found {
			return share, c.metric
		}
	}
	return math.Inf(1), ""
}

// width is half that of the row's interval, or of its ratio's, as a share.
func (r *Row) width(alone bool) float64 {
	lo, hi := r.RatioLo, r.RatioHi
	if alone {
		lo, hi = r.Lo, r.Hi
	}
	if !lo.Known() || !hi.Known() || lo <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(float64(hi/lo)) - 1
}
