package reports

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// The names of the files for other programs within a run directory.
const (
	BenchFile       = "results.benchfmt"
	CSVFile         = "results.csv"
	OpenMetricsFile = "results.openmetrics"
	HDRFile         = "results.hlog"
	JUnitFile       = "junit.xml"
)

// WriteBenchfmt writes the numbers of single blocks in the format of Go's benchmarks
// (golang.org/design/14313-benchmark-format), for benchstat: each block is one sample,
// and "benchstat -col /mode results.benchfmt" compares the modes. Lower bounds are
// left out. The name of the run is too: benchstat would compare no two of them.
func (s *Summary) WriteBenchfmt(w io.Writer) error {
	var b bytes.Buffer
	e := s.Environment
	for _, p := range []pair{{"goos", "linux"}, {"goarch", e.Arch}, {"cpu", e.CPUModel}, {"kernel", e.Kernel}, {"provider", s.Run.Provider}, {"clock", string(e.Clock)}} {
		if p.Value != "" {
			fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Value)
		}
	}
	for _, r := range s.Rows {
		name := "Benchmark" + camel(r.Metric) + "/scenario=" + r.Scenario + fmt.Sprintf("/services=%d/endpoints=%d", r.Point.Services, r.Point.Endpoints)
		if r.Point.Placement != "" {
			name += "/placement=" + r.Point.Placement
		}
		if r.Point.Batching != "" {
			name += "/batching=" + r.Point.Batching
		}
		name += "/mode=" + strings.ReplaceAll(r.label(), " ", "_")
		unit := map[string]string{"s": "sec/op", "bytes": "B", "count": "count", "count/s": "count/s", "ratio": "ratio"}[r.Unit]
		for _, block := range slices.Sorted(maps.Keys(r.blocks)) {
			if !r.bounds[block] {
				fmt.Fprintf(&b, "%s 1 %s %s\n", name, decimal(r.blocks[block]), unit)
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// camel writes a metric's name as part of a benchmark's: "path.p50" is "PathP50".
func camel(metric string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(metric, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// decimal writes a number in as few digits as tell it from its neighbours.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// WriteCSV writes one line for each number of each block.
func (s *Summary) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"scenario", "services", "endpoints", "placement", "batching", "provider", "mode", "variant", "metric", "unit", "block", "value", "at_least"}}
	for _, r := range s.Rows {
		for _, block := range slices.Sorted(maps.Keys(r.blocks)) {
			lines = append(lines, []string{
				r.Scenario, fmt.Sprint(r.Point.Services), fmt.Sprint(r.Point.Endpoints), r.Point.Placement, r.Point.Batching, r.Provider, r.Mode, r.Variant,
				r.Metric, r.Unit, fmt.Sprint(block), decimal(r.blocks[block]), fmt.Sprint(r.bounds[block]),
			})
		}
	}
	if err := c.WriteAll(lines); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// WriteOpenMetrics writes estimates with their intervals as text of OpenMetrics 1.0,
// for dashboards.
func (s *Summary) WriteOpenMetrics(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("# TYPE svcbench gauge\n# HELP svcbench A number of a run, in seconds, bytes or as a count, with the ends of its 95% interval.\n")
	for _, r := range s.Rows {
		labels := fmt.Sprintf("run=%q,scenario=%q,services=\"%d\",endpoints=\"%d\",placement=%q,batching=%q,mode=%q,variant=%q,metric=%q",
			s.Run.ID, r.Scenario, r.Point.Services, r.Point.Endpoints, r.Point.Placement, r.Point.Batching, r.Mode, r.Variant, r.Metric)
		for _, v := range []struct {
			name  string
			value Number
		}{{"estimate", r.Estimate}, {"low", r.Lo}, {"high", r.Hi}} {
			if v.value.Known() {
				fmt.Fprintf(&b, "svcbench{%s,value=%q} %s\n", labels, v.name, decimal(v.value.rounded()))
			}
		}
	}
	b.WriteString("# EOF\n")
	_, err := w.Write(b.Bytes())
	return err
}

// WriteHDR writes every histogram, of all blocks together, as an HdrHistogram log.
func (s *Summary) WriteHDR(w io.Writer) error {
	merged := map[string]*stats.Logged{}
	for _, t := range s.analysis.data.Trials {
		if t.Status != results.Complete {
			continue
		}
		for _, h := range t.Histograms {
			if h.HDR == "" {
				continue
			}
			one, err := stats.Decode(h.HDR)
			if err != nil {
				return fmt.Errorf("histogram %s of trial %s: %w", h.Metric, t.ID, err)
			}
			tag := strings.Join([]string{t.Scenario, t.Point.File(), strings.ReplaceAll(results.ModeName(t.Mode, t.Variant), " ", "_"), metricName(h.Metric, h.Class)}, "/")
			at := merged[tag]
			if at == nil {
				at = &stats.Logged{Histogram: stats.NewHistogram(), Tag: tag, Start: t.Started.UnixMilli()}
				merged[tag] = at
			}
			at.Merge(one)
			at.End = max(at.End, t.Finished.UnixMilli())
		}
	}
	all := make([]stats.Logged, 0, len(merged))
	for _, tag := range slices.Sorted(maps.Keys(merged)) {
		all = append(all, *merged[tag])
	}
	slices.SortStableFunc(all, func(a, b stats.Logged) int { return cmp.Compare(a.Start, b.Start) })
	return stats.WriteLog(w, "svcbench run "+s.Run.ID+", values in ns", all)
}

// The elements of a JUnit file.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
	}
)

// WriteJUnit writes trials as test cases, for what shows those of CI: a trial that
// failed or cannot be trusted is a failure, and so is an objective that was missed; one
// that was planned and not run is skipped.
func (s *Summary) WriteJUnit(w io.Writer) error {
	var all junitSuites
	for _, sc := range s.analysis.scenarios {
		suite := junitSuite{Name: sc.Name}
		for _, t := range s.analysis.data.Trials {
			if t.Scenario != sc.Name {
				continue
			}
			c := junitCase{Class: sc.Name, Name: t.ID, Time: fmt.Sprintf("%.3f", t.Finished.Sub(t.Started).Seconds())}
			if t.Status != results.Complete {
				c.Failure = &junitMessage{cmp.Or(t.Error, "failed")}
			} else if why := t.Untrusted(); why != "" {
				c.Failure = &junitMessage{"cannot be trusted: " + why}
			}
			suite.Cases = append(suite.Cases, c)
		}
		for _, m := range s.Missed {
			if m.Scenario == sc.Name {
				suite.Cases = append(suite.Cases, junitCase{Class: sc.Name, Name: "slo " + m.Objective, Time: "0", Failure: &junitMessage{m.text()}})
			}
		}
		for _, p := range notRun(s.analysis.data) {
			if p.Scenario == sc.Name {
				suite.Cases = append(suite.Cases, junitCase{Class: sc.Name, Name: p.ID, Time: "0", Skipped: &junitMessage{"not run"}})
				suite.Skipped++
			}
		}
		for _, c := range suite.Cases {
			if c.Failure != nil {
				suite.Failures++
			}
		}
		suite.Tests = len(suite.Cases)
		all.Tests, all.Failures = all.Tests+suite.Tests, all.Failures+suite.Failures
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
