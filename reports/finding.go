package reports

import (
	"fmt"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// claim is a metric that a finding can be about, with its sentence. The verb
// phrase follows "At N Services, ".
type claim struct {
	metric string
	// than is the sentence with a baseline: subject and verb, without the
	// ratio; alone is the one without another mode.
	than, unit, alone string
}

// claims are the metrics that findings are made of, the most telling first.
func claims() []claim {
	return []claim{
		{"path.p50", "the first packet of a connection spends %s as long inside the node with %s as with %s", "p50", "the first packet of a connection spends %s inside the node with %s"},
		{"connect.p50", "opening a connection takes %s as long with %s as with %s", "p50", "opening a connection takes %s with %s"},
		{"connect.p99", "the slowest hundredth of connections begins at %s the time with %s that it does with %s", "p99", "the slowest hundredth of connections takes %s or more with %s"},
		{"programming.add.p50", "a new endpoint gets its first connection after %s the time with %s that it does with %s", "p50", "a new endpoint gets its first connection %s after the API write with %s"},
		{results.ColdStart, "a proxy started on the full population needs %s as long with %s as with %s until traffic reaches every Service", "median", "a proxy started on the full population needs %s with %s until traffic reaches every Service"},
	}
}

// findings puts the largest point of every scenario in words.
func (a *analysis) findings(rows []Row) []Finding {
	all := []Finding{}
	for _, s := range a.scenarios {
		if len(s.points) == 0 {
			all = append(all, Finding{Scenario: s.Name, Text: "No trial is complete, so that there is nothing to report."})
			continue
		}
		at := func(mode, metric string) *Row {
			return findRow(rows, s.Name, s.points[len(s.points)-1], mode, metric)
		}
		for _, c := range claims() {
			for _, mode := range s.modes {
				row := at(mode, c.metric)
				text := ""
				switch {
				case row == nil:
				case mode != s.baseline:
					text = c.compared(row, at(s.baseline, c.metric))
				case len(s.modes) == 1:
					text = c.single(row)
				}
				if text != "" {
					all = append(all, Finding{Scenario: s.Name, Mode: mode, Point: row.Point, Metric: c.metric, Text: text})
				}
			}
		}
		if text := s.caution(); text != "" {
			all = append(all, Finding{Scenario: s.Name, Text: text})
		}
	}
	return all
}

// findRow returns a row by its coordinates; nil if there is none.
func findRow(rows []Row, scenario string, p results.Point, mode, metric string) *Row {
	for i := range rows {
		r := &rows[i]
		if r.Metric == metric && r.Mode == mode && r.Point == p && r.Scenario == scenario {
			return r
		}
	}
	return nil
}

// compared is the sentence about a row and its baseline.
func (c claim) compared(r, base *Row) string {
	where := "At " + pointName(r.Point) + ", "
	if base == nil || !r.Ratio.Known() {
		if r.Verdict == NotComparable && base != nil {
			return fmt.Sprintf("%s%s and %s are not comparable by %s (%s against %s): %s.", where,
				r.Mode, r.Baseline, metricTitle(c.metric), estimate(*r), estimate(*base), r.Warnings[len(r.Warnings)-1])
		}
		return ""
	}
	ratio := formatRatio(r.Ratio)
	if interval := formatRange(r.RatioLo, r.RatioHi, ratioDigits); interval != "" {
		ratio += " " + interval
	}
	text := where + fmt.Sprintf(c.than, ratio, r.Mode, r.Baseline)
	text += fmt.Sprintf(" (%s %s against %s; %s)", c.unit, estimate(*r), estimate(*base), count(min(r.N, base.N), "block"))
	if r.Verdict != "" {
		text += ": " + string(r.Verdict)
	}
	return text + "."
}

// single is the sentence about a mode that is alone in its run.
func (c claim) single(r *Row) string {
	value := estimate(*r)
	if interval := formatRange(r.Lo, r.Hi, func(n Number) string { return format(n, r.Unit) }); interval != "" {
		value += " " + interval
	}
	return fmt.Sprintf("At %s, %s (%s; %s).", pointName(r.Point), fmt.Sprintf(c.alone, value, r.Mode), c.unit, count(r.N, "block"))
}

// estimate writes the number of a row, with "more than" for a lower bound.
func estimate(r Row) string {
	text := format(r.Estimate, r.Unit)
	if r.AtLeast {
		return "> " + text
	}
	return text
}

// caution says what the number of blocks allows to conclude.
func (s *scenario) caution() string {
	most := 0
	for _, c := range s.cells {
		most = max(most, len(c.trials))
	}
	switch {
	case len(s.modes) < 2:
		return "Only one mode was measured, so that there is nothing to compare it with."
	case s.cell(s.points[len(s.points)-1], s.baseline) == nil:
		return fmt.Sprintf("The baseline %s has no complete trial at the largest point.", s.baseline)
	case most == 1:
		return "One block shows no scatter: these are single measurements, without intervals or verdicts."
	case most < stats.LeastExact:
		return fmt.Sprintf("%s give estimates and no verdict, which takes at least %d; the intervals are wide because there are few.",
			strings.ToUpper(count(most, "block")[:1])+count(most, "block")[1:], stats.LeastExact)
	}
	return ""
}
