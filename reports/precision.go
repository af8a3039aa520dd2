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
		for _, r := range s.Rows {
			if r.Scenario != scenario || r.Metric != c.metric || results.IsAgain(r.Mode) {
				continue
			}
			lo, hi := r.RatioLo, r.RatioHi
			if sc.alone() {
				lo, hi = r.Lo, r.Hi
			} else if r.Mode == sc.baseline || r.Verdict == NotComparable {
				continue
			}
			found = true
			if !lo.Known() || !hi.Known() || lo <= 0 {
				return math.Inf(1), c.metric
			}
			share = max(share, math.Sqrt(float64(hi/lo))-1)
		}
		if found {
			return share, c.metric
		}
	}
	return math.Inf(1), ""
}
