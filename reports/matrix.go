package reports

import (
	"fmt"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

// matrix is the main table of a scenario: headline metrics by point, a column
// for each mode.
type matrix struct {
	Modes  []column
	Matrix []metricGroup
	// Stacked means that ratios stand below the estimates instead of in a
	// column of their own: with many modes the table is too wide otherwise.
	Stacked bool
	// Blocks says how many there are.
	Blocks string
	// Notes are the warnings that cells refer to.
	Notes []note
}

type column struct {
	// Name and Baseline are how people read the modes.
	Name, Baseline string
	mode           string
	Style          int
	// Compared means that the mode has ratios.
	Compared bool
}

type metricGroup struct {
	Title, Metric string
	Columns       int
	Lines         []line
}

type line struct {
	Point string
	Cells []matrixCell
}

type matrixCell struct {
	Estimate, Detail   string
	Compared           bool
	Ratio, RatioDetail string
	Verdict            Verdict
	Notes              []note
}

// note is a footnote. Its mark is a letter: a number would look like an
// exponent of the number before it.
type note struct{ ID, Mark, Text string }

// matrix arranges the headline rows of a scenario.
func (s *Summary) matrix(sc *scenario) matrix {
	m := matrix{Stacked: len(sc.modes) > 2}
	columns := 1
	for _, mode := range sc.modes {
		c := column{Name: sc.label(mode), Baseline: sc.label(sc.baseline), mode: mode, Style: s.analysis.modeStyle(mode)}
		c.Compared = mode != sc.baseline && slices.Contains(sc.modes, sc.baseline)
		columns++
		if c.Compared && !m.Stacked {
			columns++
		}
		m.Modes = append(m.Modes, c)
	}
	for _, metric := range sc.headlineMetrics(s.Rows) {
		group := metricGroup{Title: metricTitle(metric) + sc.remarkOn(metric), Metric: metric, Columns: columns}
		for _, p := range sc.points {
			if l, ok := s.line(&m, sc, p, metric); ok {
				group.Lines = append(group.Lines, l)
			}
		}
		m.Matrix = append(m.Matrix, group)
	}
	m.Blocks = sc.blocksText()
	return m
}

// headlineMetrics are the metrics of a scenario's main table, in order.
func (sc *scenario) headlineMetrics(rows []Row) []string {
	var metrics []string
	for _, r := range rows {
		// Only where a mode translates inside connect() does the call tell
		// what the whole handshake does not.
		if hasPrefix(r.Metric, results.ConnectSyscall) && !slices.Contains(sc.modes, string(scenarios.EBPF)) {
			continue
		}
		if r.Scenario == sc.Name && headline(r.Metric) && !slices.Contains(metrics, r.Metric) {
			metrics = append(metrics, r.Metric)
		}
	}
	slices.SortFunc(metrics, compareMetrics)
	return metrics
}

func (s *Summary) line(m *matrix, sc *scenario, p results.Point, metric string) (line, bool) {
	l := line{Point: sc.sizeName(p)}
	found := false
	for _, c := range m.Modes {
		cell := matrixCell{Estimate: dash, Ratio: dash, Compared: c.Compared}
		if r := findRow(s.Rows, sc.Name, p, c.mode, metric); r != nil {
			found = true
			cell.Estimate = estimate(*r)
			cell.Detail = joined(besideEstimate(r.Estimate, r.Lo, r.Hi, r.Unit), fmt.Sprintf("n=%d", r.N))
			cell.Ratio, cell.RatioDetail = formatRatio(r.Ratio), ratioDetail(*r)
			cell.Verdict = r.Verdict
			for _, w := range r.Warnings {
				if !isFewBlocks(w) {
					cell.Notes = append(cell.Notes, m.note(slug(sc.Name), w))
				}
			}
		}
		l.Cells = append(l.Cells, cell)
	}
	return l, found
}

// isFewBlocks reports whether a warning is the one of fewBlocks, which the
// table says once for all.
func isFewBlocks(warning string) bool {
	for n := range stats.LeastExact {
		if warning == fewBlocks(n) {
			return true
		}
	}
	return false
}

// note returns the footnote with a text, a new one if there is none yet.
func (m *matrix) note(prefix, text string) note {
	for _, n := range m.Notes {
		if n.Text == text {
			return n
		}
	}
	n := note{Mark: letters(len(m.Notes)), Text: text}
	n.ID = prefix + "-note-" + n.Mark
	m.Notes = append(m.Notes, n)
	return n
}

// letters counts a, b, ..., z, aa, ab as an ordered list of HTML does.
func letters(i int) string {
	mark := string(rune('a' + i%26))
	if i >= 26 {
		mark = letters(i/26-1) + mark
	}
	return mark
}

// blocksText explains what the scenario's number of blocks means.
func (sc *scenario) blocksText() string {
	switch most := sc.mostBlocks(); {
	case most == 0:
		return ""
	case most == 1:
		return "A single block shows no scatter, so that there are no intervals."
	case most < stats.LeastExact:
		return fmt.Sprintf("Fewer than %d blocks give no verdict, and their intervals trust that blocks scatter normally.", stats.LeastExact)
	}
	return fmt.Sprintf("A difference of at most %.0f%% is called slight, or the same if the whole interval is within that.", 100*Relevant)
}
