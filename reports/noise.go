package reports

import (
	"fmt"
	"math"
	"slices"

	"svcbench/internal/results"
)

// alone reports whether only one mode was measured, once or twice.
func (s *scenario) alone() bool {
	return !slices.ContainsFunc(s.modes, func(m string) bool { return results.BaseMode(m) != results.BaseMode(s.modes[0]) })
}

// noise says what the A/A control of a scenario shows; "" if it has none.
func (s *scenario) noise(rows []Row) string {
	control := results.Again(s.baseline)
	if !slices.Contains(s.modes, control) {
		return ""
	}
	var most Row
	floor, with, intervals, include := 0.0, 0, 0, 0
	for _, r := range rows {
		if r.Scenario != s.Name || r.Mode != control || !judged(r.Metric) || !r.Ratio.Known() {
			continue
		}
		if r.RatioLo.Known() {
			intervals++
			if r.RatioLo <= 1 && 1 <= r.RatioHi {
				include++
			}
		}
		if headline(r.Metric) {
			with++
			if off := math.Abs(math.Log(float64(r.Ratio))); off >= floor {
				floor, most = off, r
			}
		}
	}
	if with == 0 {
		return ""
	}
	text := fmt.Sprintf("Noise: %s measured twice differs by up to %.1f%% in %s at the head of the tables (%s, %s)", s.label(s.baseline), 100*math.Expm1(floor), count(with, "number"), most.Metric, s.sizeName(most.Point))
	if intervals == 0 {
		return text + "."
	}
	return text + fmt.Sprintf("; %d of %s of all its ratios contain 1 (%.0f%%). Do not believe a smaller difference between modes.", include, count(intervals, "interval"), 100*float64(include)/float64(intervals))
}
