package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"svcbench/internal/results"
)

// numbersOf counts the values of blocks of a summary, and the lower bounds of them.
func numbersOf(s *Summary) (values, bounds int) {
	for _, r := range s.Rows {
		for block := range r.blocks {
			values++
			if r.bounds[block] {
				bounds++
			}
		}
	}
	return values, bounds
}

// Every value is a line that benchstat reads, but for lower bounds.
func TestBenchfmt(t *testing.T) {
	s := summarize(t, smallRun(t), Options{})
	for block := range s.Rows[0].blocks {
		s.Rows[0].bounds = map[int]bool{block: true}
	}
	values, bounds := numbersOf(s)
	line := regexp.MustCompile(`^Benchmark[A-Z][A-Za-z0-9]*(/[a-z]+=[^/ ]+)+ 1 [0-9.e+-]+ (sec/op|B|count|count/s|ratio)$`)
	n := 0
	for text := range strings.Lines(string(draw(t, s.WriteBenchfmt))) {
		text = strings.TrimSuffix(text, "\n")
		switch {
		case line.MatchString(text):
			n++
		case !regexp.MustCompile(`^[a-z]+: .+$`).MatchString(text):
			t.Errorf("line %q", text)
		}
	}
	if n != values-bounds || bounds == 0 {
		t.Errorf("%d lines, want %d of %d values", n, values-bounds, values)
	}
	if text := string(draw(t, s.WriteBenchfmt)); !strings.Contains(text, "BenchmarkPathP50/scenario=quick/services=100/endpoints=2/mode=nftables 1 ") {
		t.Errorf("no median of the path:\n%.2000s", text)
	}
}

func TestCSV(t *testing.T) {
	s := summarize(t, smallRun(t), Options{})
	values, bounds := numbersOf(s)
	lines, err := csv.NewReader(bytes.NewReader(draw(t, s.WriteCSV))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	least := 0
	for _, l := range lines[1:] {
		if l[len(l)-1] == "true" {
			least++
		}
	}
	if len(lines)-1 != values || least != bounds {
		t.Errorf("%d lines, %d of them lower bounds, want %d and %d", len(lines)-1, least, values, bounds)
	}
}

func TestOpenMetrics(t *testing.T) {
	text := draw(t, summarize(t, smallRun(t), Options{}).WriteOpenMetrics)
	if !bytes.HasSuffix(text, []byte("# EOF\n")) {
		t.Error("it has no end")
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || len(families["svcbench"].GetMetric()) < 20 {
		t.Errorf("families %v", families)
	}
}

// The log has every histogram of the run with all of its samples.
func TestHDR(t *testing.T) {
	data := smallRun(t)
	want := map[string]int64{}
	for _, trial := range data.Trials {
		for _, h := range trial.Histograms {
			if trial.Status == results.Complete {
				want["quick/"+trial.Point.File()+"/"+trial.Mode+"/"+metricName(h.Metric, h.Class)] += h.Count
			}
		}
	}
	reader := hdr.NewHistogramLogReader(bytes.NewReader(draw(t, summarize(t, data, Options{}).WriteHDR)))
	for {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		if n, ok := want[h.Tag()]; !ok || n != h.TotalCount() {
			t.Errorf("%s has %d samples, want %d", h.Tag(), h.TotalCount(), n)
		}
		delete(want, h.Tag())
	}
	if len(want) > 0 {
		t.Errorf("left out are %v", want)
	}
}

func TestJUnit(t *testing.T) {
	data := smallRun(t)
	data.Trials[0].Status, data.Trials[0].Error = results.Failed, "connect: <refused> & \"lost\""
	last := data.Trials[len(data.Trials)-1]
	data.Trials = data.Trials[:len(data.Trials)-1]
	var got junitSuites
	if err := xml.Unmarshal(draw(t, summarize(t, data, Options{}).WriteJUnit), &got); err != nil {
		t.Fatal(err)
	}
	if got.Failures != 2 || // one more has failed already
		got.Tests != len(data.Trials)+1 || len(got.Suites) != 1 || got.Suites[0].Skipped != 1 {
		t.Errorf("suites %+v", got)
	}
	cases := got.Suites[0].Cases
	if cases[0].Failure == nil || cases[0].Failure.Message != data.Trials[0].Error || cases[len(cases)-1].Name != last.ID || cases[len(cases)-1].Skipped == nil {
		t.Errorf("cases %+v", cases)
	}
}
