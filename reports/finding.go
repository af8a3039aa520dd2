package reports

import (
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// claim is a metric that a finding can be about, in words: "subject RATIO
// compared with MODE as with BASELINE", and "subject TIME alone with MODE"
// where there is no other mode.
type claim struct {
	metric, subject, compared, alone, unit string
}

// claims are the metrics that findings are made of, the most telling first.
func claims() []claim {
	return []claim{
		{"path.p50", "the first packet of a connection spends", "as long inside the node", "inside the node", "p50"},
		{"connect.p50", "opening a connection takes", "as long", "", "p50"},
		{"connect.p99", "the 99th percentile of opening a connection is", "as long", "", "p99"},
		{"programming.add.p50", "a new endpoint waits", "as long for its first connection after the API write", "for its first connection after the API write", "p50"},
		{results.ColdStart, "a cold start, until the proxy serves the full population, takes", "as long", "", "median"},
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
		p := s.points[len(s.points)-1]
		for _, c := range claims() {
			for _, text := range c.sentences(s, p, rows) {
				all = append(all, Finding{Scenario: s.Name, Point: p, Metric: c.metric, Text: text})
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

// sentences puts the metric of a claim at a point in words.
func (c claim) sentences(s *scenario, p results.Point, rows []Row) []string {
	at := "At " + s.sizeName(p) + ", "
	base := findRow(rows, s.Name, p, s.baseline, c.metric)
	var compared []Row
	var texts []string
	for _, mode := range s.modes {
		r := findRow(rows, s.Name, p, mode, c.metric)
		switch {
		case r == nil:
		case len(s.modes) == 1:
			texts = append(texts, at+c.single(*r))
		case base == nil || mode == s.baseline:
		case r.Ratio.Known():
			compared = append(compared, *r)
		case r.Verdict == NotComparable:
			texts = append(texts, fmt.Sprintf("%s%s and %s are not comparable by %s (%s against %s).",
				at, mode, s.baseline, c.metric, estimate(*r), estimate(*base)))
		}
	}
	if len(compared) > 0 {
		texts = append([]string{at + c.comparison(compared, *base)}, texts...)
	}
	return texts
}

// comparison is the sentence about all modes and their baseline.
func (c claim) comparison(rows []Row, base Row) string {
	var ratios, estimates []string
	blocks := base.N
	for i, r := range rows {
		phrase := c.compared
		if i > 0 {
			phrase = ""
		}
		ratios = append(ratios, joined(ratio(r), phrase, "with", r.Mode))
		estimates = append(estimates, estimate(r))
		blocks = min(blocks, r.N)
	}
	text := fmt.Sprintf("%s %s as with %s (%s %s against %s; %s)", c.subject, enumerated(ratios), base.Mode,
		c.unit, enumerated(estimates), estimate(base), count(blocks, "block"))
	return text + judgement(rows) + "."
}

// judgement appends the verdicts, "" if there are none.
func judgement(rows []Row) string {
	var verdicts []Verdict
	var named []string
	for _, r := range rows {
		if r.Verdict == "" {
			continue
		}
		if !slices.Contains(verdicts, r.Verdict) {
			verdicts = append(verdicts, r.Verdict)
		}
		named = append(named, r.Mode+" "+string(r.Verdict))
	}
	switch {
	case len(verdicts) == 0:
		return ""
	case len(verdicts) == 1:
		return ": " + string(verdicts[0])
	}
	return ": " + enumerated(named)
}

// enumerated joins parts as a sentence does: "a, b and c".
func enumerated(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// single is the sentence about a mode that is alone in its run.
func (c claim) single(r Row) string {
	value := joined(estimate(r), formatInterval(r.Estimate, r.Lo, r.Hi, r.Unit))
	return joined(c.subject, value, c.alone, "with", r.Mode, fmt.Sprintf("(%s; %s).", c.unit, count(r.N, "block")))
}

// estimate writes the number of a row, with ">" for a lower bound.
func estimate(r Row) string {
	text := format(r.Estimate, r.Unit)
	if r.AtLeast {
		return "> " + text
	}
	return text
}

// caution says what the number of blocks allows to conclude.
func (s *scenario) caution() string {
	largest := s.points[len(s.points)-1]
	blocks := s.mostBlocks()
	for _, mode := range s.modes {
		if c := s.cell(largest, mode); c != nil {
			blocks = min(blocks, len(c.trials))
		}
	}
	switch {
	case len(s.modes) < 2:
		return "Only one mode was measured, so that there is nothing to compare it with."
	case s.cell(largest, s.baseline) == nil:
		return fmt.Sprintf("The baseline %s has no complete trial at the largest point.", s.baseline)
	case blocks == 1:
		return "One block shows no scatter: these are single measurements, without intervals or verdicts."
	case blocks < stats.LeastExact:
		return fmt.Sprintf("%s give estimates and no verdict, which takes at least %d; with so few, the intervals are wide.",
			count(blocks, "block"), stats.LeastExact)
	}
	return ""
}

// mostBlocks is the largest number of blocks of a cell.
func (s *scenario) mostBlocks() int {
	most := 0
	for _, c := range s.cells {
		most = max(most, len(c.trials))
	}
	return most
}
