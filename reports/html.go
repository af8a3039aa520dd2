package reports

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed page/report.html.tmpl page/style.css
var pageFiles embed.FS

// page is what the HTML template shows.
type page struct {
	Title, RunID, Command string
	Seed                  uint64
	Style                 template.CSS
	Alert, Notice         string
	Facts, Machine        []pair
	Scenarios             []section

	// Incorrect are the trials in which Services were wrong.
	Incorrect                        []string
	TrialsText, NotRun, CensoredText string
	CorrectText                      string
	LeftOut                          []string
	Failed, Missing, Warnings        *table
	Censored, Lag                    *table
	Environment                      []pairs
	Proxies                          []proxy
	Method                           []methodNote
	Trials                           table
}

type pair struct{ Name, Value string }

type pairs struct {
	Title string
	Pairs []pair
}

// section is one scenario on the page.
type section struct {
	ID, Name, Title, Description, YAML string
	Baseline                           string
	BaselineStyle                      int
	Findings                           []string
	matrix
	Figures []figure
	// All is the table of every number.
	All table
}

// WriteHTML writes the report as one HTML file that needs nothing else.
func (s *Summary) WriteHTML(w io.Writer) error {
	p, err := s.page()
	if err != nil {
		return fmt.Errorf("draw report: %w", err)
	}
	t, err := template.ParseFS(pageFiles, "page/report.html.tmpl")
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("draw report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (s *Summary) page() (*page, error) {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	p := &page{
		Title: s.title(), RunID: s.Run.ID, Command: s.Run.Command, Seed: s.Run.Seed,
		Style: template.CSS(style), //nolint:gosec // embedded in this program
		Alert: s.alert(), Notice: s.Environment.notice(), Facts: s.facts(),
		Machine: machine(s.Environment.Environment), Environment: environment(s.Environment.Environment),
		Incorrect: s.incorrect(), CorrectText: s.correctText(),
		TrialsText: s.trialsText(), CensoredText: s.censoredText(), NotRun: s.notRunText(), LeftOut: s.leftOut(),
		Failed: s.failedTable(), Missing: s.missingTable(), Warnings: s.warningTable(),
		Censored: s.censoredTable(), Lag: s.lagTable(),
		Proxies: s.analysis.proxies(), Method: method(s.Rows, s.Environment, s.Run.Rates), Trials: s.analysis.trialTable(),
	}
	for _, sc := range s.analysis.scenarios {
		section, err := s.section(sc)
		if err != nil {
			return nil, err
		}
		p.Scenarios = append(p.Scenarios, section)
	}
	return p, nil
}

func (s *Summary) section(sc *scenario) (section, error) {
	view := section{
		ID: slug(sc.Name), Name: sc.Name, Title: sc.Title, Description: strings.TrimSpace(sc.Description), YAML: sc.YAML,
		Findings: unbroken(s.findingsOf(sc.Name)), matrix: s.matrix(sc), All: s.everything(sc.Name),
	}
	if view.Title == "" {
		view.Title = sc.Name
	}
	if len(sc.modes) > 1 {
		view.Baseline, view.BaselineStyle = sc.label(sc.baseline), s.analysis.modeStyle(sc.baseline)
	}
	var err error
	view.Figures, err = (&sheet{scenario: sc, analysis: s.analysis, rows: s.Rows}).figures()
	return view, err
}

// findingsOf returns the sentences about a scenario.
func (s *Summary) findingsOf(scenario string) []string {
	var texts []string
	for _, f := range s.Findings {
		if f.Scenario == scenario {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

// unbroken keeps numbers and their units on one line.
func unbroken(texts []string) []string {
	unit := regexp.MustCompile(`([0-9]) (ns|µs|ms|s|blocks?|Services?)\b`)
	kept := make([]string, len(texts))
	for i, text := range texts {
		kept[i] = unit.ReplaceAllString(text, "$1\u00a0$2")
	}
	return kept
}

// everything is the table of all rows of a scenario.
func (s *Summary) everything(scenario string) table {
	t := table{Head: []string{"metric", "point", "mode", "estimate", "95% interval", "ratio", "verdict", "n", "samples", "timed out", "failed", "block by block"}}
	for _, r := range s.Rows {
		if r.Scenario == scenario {
			t.Rows = append(t.Rows, []string{
				r.Metric, pointName(r.Point), r.label(), estimate(r), interval(r), ratio(r), orDash(string(r.Verdict)),
				thousands(int64(r.N)), thousands(r.Samples), thousands(r.Censored), thousands(r.Errors), r.blockByBlock(),
			})
		}
	}
	return t
}

// blockByBlock writes the values that the row's interval and ratio come from.
func (r Row) blockByBlock() string {
	var values []string
	for _, block := range slices.Sorted(maps.Keys(r.blocks)) {
		text := format(Number(r.blocks[block]), r.Unit)
		if r.bounds[block] {
			text = "> " + text
		}
		values = append(values, text)
	}
	return strings.Join(values, ", ")
}
