package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// claim is a metric that a finding can be about, in words. says holds the number
// of a mode, also and other those of further modes and of the baseline: "MODE
// opens a connection in 45 µs, MODE in 50 µs, where BASELINE takes 101 µs".
type claim struct {
	metric            string
	says, also, other string
	statistic         string
}

// claims are the metrics that findings are made of, the most telling first.
func claims() []claim {
	return []claim{
		{"path.p50", "spends %s in the node on a connection's first packet", "%s", "spends %s", "p50"},
		{"connect.syscall.p50", "spends %s in connect()", "%s", "spends %s", "p50"},
		{"connect.p50", "opens a connection in %s", "in %s", "takes %s", "p50"},
		{"connect.p99", "opens 99 of 100 connections within %s", "within %s", "takes up to %s", "p99"},
		{"programming.add.p50", "lets the first connection reach a new endpoint %s after the API write", "%s after it", "takes %s", "p50"},
		{"programming.remove.p50", "leads the last connection to a removed endpoint %s after the API write", "%s after it", "goes on for %s", "p50"},
		{"programming.storm.p50", "lets the last of many changes at once be obeyed %s after they were due", "%s after that", "takes %s", "p50"},
		{"flow.silence.p50", "leaves kept connections without an answer for %s when their pod has gone", "for %s", "does for %s", "p50"},
		{results.ConnectSaturation, "keeps up with %s new connections", "with %s", "does with %s", "median"},
		{results.Saturation, "keeps up with %s changes", "with %s", "does with %s", "median"},
		{results.ColdStart, "serves the whole population %s after a cold start", "after %s", "takes %s", "median"},
		{results.RestartSync, "obeys a change that it had missed %s after a restart", "after %s", "takes %s", "median"},
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
			if !s.tells(c.metric) {
				continue
			}
			for _, text := range c.sentences(s, p, rows) {
				all = append(all, Finding{Scenario: s.Name, Point: p, Metric: c.metric, Text: text})
			}
		}
		if text := s.noise(rows); text != "" {
			all = append(all, Finding{Scenario: s.Name, Text: text})
		}
		if text := s.caution(); text != "" {
			all = append(all, Finding{Scenario: s.Name, Text: text})
		}
	}
	return all
}

// tells reports whether a metric is worth a sentence: the call of connect()
// only where a mode translates in it, for elsewhere it says what the whole
// connection says.
func (s *scenario) tells(metric string) bool {
	return !hasPrefix(metric, results.ConnectSyscall) ||
		slices.ContainsFunc(s.modes, func(mode string) bool { return isSocket(s.where(results.Point{}, mode)) })
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
	var others []Row
	var texts []string
	for _, mode := range s.modes {
		r := findRow(rows, s.Name, p, mode, c.metric)
		switch {
		case r == nil:
		case s.alone():
			if results.IsAgain(mode) {
				continue
			}
			texts = append(texts, at+c.single(*r))
		case base == nil || mode == s.baseline, results.IsAgain(mode):
		case r.Ratio.Known():
			others = append(others, *r)
		case r.Verdict == NotComparable:
			reason := strings.TrimPrefix(cmp.Or(r.unlike(s.where(p, s.baseline)), "see its warnings"), noRatio)
			texts = append(texts, fmt.Sprintf("%s%s and %s are not comparable by %s (%s and %s): %s.",
				at, s.label(mode), s.label(s.baseline), c.metric, estimate(*r), estimate(*base), reason))
		}
	}
	if len(others) > 0 {
		texts = append([]string{at + c.comparison(others, *base)}, texts...)
	}
	return texts
}

// comparison is the sentence about all modes and their baseline.
func (c claim) comparison(rows []Row, base Row) string {
	pairs := rows[0].Pairs
	var parts []string
	for i, r := range rows {
		pairs = min(pairs, r.Pairs)
		phrase := c.says
		if i > 0 {
			phrase = c.also
		}
		text := r.label() + " " + fmt.Sprintf(phrase, estimate(r))
		if len(rows) > 1 {
			text += " (" + compared(r) + ")"
		}
		parts = append(parts, text)
	}
	text := enumerated(parts) + " where " + base.label() + " " + fmt.Sprintf(c.other, estimate(base))
	if len(rows) == 1 {
		text += ": " + compared(rows[0])
	}
	return text + fmt.Sprintf(" (%s, %s%s).", c.statistic, count(pairs, "block"), warned(append(rows, base)...))
}

// compared writes the ratio of a row and what it means, as far as that can be
// said.
func compared(r Row) string {
	text := ratio(r)
	switch {
	case r.Verdict != "":
		text += ", " + string(r.Verdict)
	case r.RatioLo <= 1 && r.RatioHi >= 1:
		text += ", which includes 1: no difference shown"
	}
	return text
}

// warned says whether there are doubts about numbers of a sentence.
func warned(rows ...Row) string {
	for _, r := range rows {
		if slices.ContainsFunc(r.Warnings, func(w string) bool { return !isFewBlocks(w) }) {
			return "; with warnings"
		}
	}
	return ""
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
	value := joined(estimate(r), besideEstimate(r.Estimate, r.Lo, r.Hi, r.Unit))
	return r.label() + " " + fmt.Sprintf(c.says, value) + fmt.Sprintf(" (%s, %s%s).", c.statistic, count(r.N, "block"), warned(r))
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
	case s.alone():
		return "Only one mode was measured, so that there is nothing to compare it with."
	case s.cell(largest, s.baseline) == nil:
		return fmt.Sprintf("The baseline %s has no complete trial at the largest point.", s.label(s.baseline))
	case blocks == 1:
		return "One block shows no scatter: these are single measurements, without intervals or verdicts."
	case blocks < stats.LeastExact:
		return fmt.Sprintf("%s give estimates, with wide intervals, and no verdict: that takes at least %d blocks.", count(blocks, "block"), stats.LeastExact)
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
