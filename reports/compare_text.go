package reports

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"svcbench/internal/results"
)

// WriteText writes the comparison for a terminal: headline numbers, and others that
// are better or worse.
func (c *Comparison) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s against %s\n", c.New, c.Old)
	for _, part := range []struct {
		title string
		all   []results.Difference
	}{{"The environments differ, so that differences may be theirs:", c.Environment}, {"The scenarios differ:", c.Settings}} {
		if len(part.all) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, d := range part.all {
			fmt.Fprintf(&b, "  %s: %s, now %s\n", d.What, orDash(d.Old), orDash(d.New))
		}
	}
	t := c.table()
	fmt.Fprintf(&b, "\n%s\n", t.aligned())
	b.WriteString(c.verdictText())
	for _, part := range []struct {
		which string
		all   []Where
	}{{c.Old, c.OnlyOld}, {c.New, c.OnlyNew}} {
		if len(part.all) > 0 {
			fmt.Fprintf(&b, "Only %s has %s.\n", part.which, enumerated(places(part.all)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table has the rows that a person should see.
func (c *Comparison) table() table {
	t := table{Head: []string{"metric", "point", "mode", "old", "new", "ratio", "adjusted p", "verdict"}}
	for _, r := range c.Rows {
		if !headline(r.Metric) {
			continue
		}
		p := dash
		if r.Adjusted.Known() {
			p = fmt.Sprintf("%.2g", float64(r.Adjusted))
		}
		ratio := joined(formatRatio(r.Ratio), formatRange(r.RatioLo, r.RatioHi, min(r.Ratio, 1)/faraway, max(r.Ratio, 1)*faraway, ratioDigits))
		t.Rows = append(t.Rows, []string{r.Metric, pointName(r.Point), r.label(), format(r.Old, r.Unit), format(r.New, r.Unit), ratio, p, string(r.Verdict)})
	}
	return t
}

// verdictText counts the verdicts.
func (c *Comparison) verdictText() string {
	counts := map[Verdict]int{}
	for _, r := range c.Rows {
		if headline(r.Metric) && judged(r.Metric) {
			counts[r.Verdict]++
		}
	}
	var parts []string
	for _, v := range []Verdict{Worse, Better, Slight, NoDifference, Equivalent, NotComparable} {
		if counts[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	if n := counts[""]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d without a verdict, which takes %s of each run", n, count(c.Blocks, "block")))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Of the numbers above: %s.\n", enumerated(parts))
}

// places name modes at points.
func places(all []Where) []string {
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = fmt.Sprintf("%s with %s in scenario %s", w.label(), pointName(w.Point), w.Scenario)
	}
	slices.Sort(names)
	return names
}
