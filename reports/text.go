package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteJSON writes the summary as one indented JSON object.
func (s *Summary) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// WriteText writes findings and main tables for a terminal.
func (s *Summary) WriteText(w io.Writer) error {
	var b bytes.Buffer
	if notice := s.Environment.notice(); notice != "" {
		b.WriteString(notice + "\n\n")
	}
	for i, sc := range s.analysis.scenarios {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s: %s\n\n", sc.Name, sc.Title)
		for _, text := range s.findingsOf(sc.Name) {
			b.WriteString(wrapped(text, 100))
		}
		m := s.matrix(sc)
		if t := m.table(false); len(t.Rows) > 0 {
			fmt.Fprintf(&b, "\n%s\n%s; in brackets 95%% intervals over blocks.\n%s\n", t.aligned(), count(sc.mostBlocks(), "block"), m.Blocks)
		}
	}
	if alert := s.alert(); alert != "" {
		fmt.Fprintf(&b, "\n%s\n", alert)
	}
	if text := s.correctText(); text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	if t := s.warningTable(); t != nil {
		fmt.Fprintf(&b, "\n%s: see the report.\n", count(len(t.Rows), "warning"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table flattens the matrix into one row for each metric and point. detailed
// adds the intervals of estimates and the marks of footnotes.
func (m matrix) table(detailed bool) table {
	t := table{Head: []string{"metric", "point"}}
	for _, c := range m.Modes {
		t.Head = append(t.Head, c.Name)
		if c.Compared {
			t.Head = append(t.Head, "ratio to "+c.Baseline)
		}
	}
	for _, g := range m.Matrix {
		for _, l := range g.Lines {
			row := []string{g.Metric, l.Point}
			for _, c := range l.Cells {
				value := c.Estimate
				if detailed {
					value = joined(value, c.Detail)
					for _, n := range c.Notes {
						value += " (" + n.Mark + ")"
					}
				}
				row = append(row, value)
				if c.Compared {
					row = append(row, joined(c.Ratio, c.RatioDetail, string(c.Verdict)))
				}
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// joined writes the non-empty parts with spaces between.
func joined(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}

// aligned writes the table with columns of equal width.
func (t table) aligned() string {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// wrapped breaks a sentence into lines of at most width characters, with a
// bullet.
func wrapped(text string, width int) string {
	var b strings.Builder
	line := "-"
	for _, word := range strings.Fields(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
