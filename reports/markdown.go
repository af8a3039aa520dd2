package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report without its figures as Markdown, for a pull
// request or a job summary.
func (s *Summary) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", s.title())
	var facts []string
	for _, f := range s.facts() {
		facts = append(facts, f.Name+" "+f.Value)
	}
	fmt.Fprintf(&b, "%s\n", escaped(strings.Join(facts, " · ")))
	if notice := s.Environment.notice(); notice != "" {
		fmt.Fprintf(&b, "\n> %s\n", escaped(notice))
	}
	if alert := s.alert(); alert != "" {
		fmt.Fprintf(&b, "\n> **%s**\n", escaped(alert))
	}
	for _, sc := range s.analysis.scenarios {
		s.markdownScenario(&b, sc)
	}
	s.markdownValidity(&b)
	s.markdownMachine(&b)
	if s.Run.Command != "" {
		fmt.Fprintf(&b, "\n## Reproduce\n\n```\n%s\n```\n", s.Run.Command)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (s *Summary) markdownScenario(b *bytes.Buffer, sc *scenario) {
	fmt.Fprintf(b, "\n## %s\n\n", escaped(sc.Title))
	for _, text := range s.findingsOf(sc.Name) {
		fmt.Fprintf(b, "- %s\n", escaped(text))
	}
	m := s.matrix(sc)
	t := m.table(true)
	if len(t.Rows) == 0 {
		return
	}
	fmt.Fprintln(b)
	t.markdown(b)
	fmt.Fprintf(b, "\nIn brackets 95%% intervals over blocks; n is the number of blocks. %s\n", m.Blocks)
	for _, n := range m.Notes {
		fmt.Fprintf(b, "- (%s) %s\n", n.Mark, escaped(n.Text))
	}
}

func (s *Summary) markdownValidity(b *bytes.Buffer) {
	fmt.Fprint(b, "\n## Validity\n\n")
	for _, text := range s.incorrect() {
		fmt.Fprintf(b, "- **Wrong**: %s\n", escaped(text))
	}
	fmt.Fprintln(b, joined(s.trialsText(), escaped(s.correctText())))
	for _, text := range s.leftOut() {
		fmt.Fprintf(b, "- Left out: %s\n", escaped(text))
	}
	for _, part := range []struct {
		title string
		*table
	}{
		{"Failed trials", s.failedTable()}, {"Not measured", s.missingTable()},
		{"Time-outs and errors", s.censoredTable()}, {"Warnings", s.warningTable()},
	} {
		if part.table != nil {
			fmt.Fprintf(b, "\n### %s\n\n", part.title)
			part.markdown(b)
		}
	}
}

func (s *Summary) markdownMachine(b *bytes.Buffer) {
	fmt.Fprint(b, "\n## Environment\n\n")
	for _, p := range machine(s.Environment.Environment) {
		fmt.Fprintf(b, "- %s: %s\n", p.Name, escaped(p.Value))
	}
	for _, part := range environment(s.Environment.Environment) {
		if part.Title != "Versions" && part.Title != "Network of the provider" {
			continue
		}
		for _, p := range part.Pairs {
			fmt.Fprintf(b, "- %s: %s\n", p.Name, escaped(p.Value))
		}
	}
	for _, p := range s.analysis.proxies() {
		for _, note := range p.Notes {
			fmt.Fprintf(b, "- %s: %s\n", p.Mode, escaped(note))
		}
	}
}

// markdown writes the table in the form that GitHub knows.
func (t table) markdown(b *bytes.Buffer) {
	row := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(b, "| %s ", escaped(c))
		}
		fmt.Fprintln(b, "|")
	}
	row(t.Head)
	fmt.Fprintln(b, strings.Repeat("| --- ", len(t.Head))+"|")
	for _, cells := range t.Rows {
		row(cells)
	}
}

// escaped keeps text from being taken for Markdown or HTML.
func escaped(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ", "*", `\*`, "_", `\_`, "`", "\\`").Replace(text)
}
