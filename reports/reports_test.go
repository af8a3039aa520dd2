package reports

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if that is meant:\n%s", path, diff)
	}
}

var twoModes = []string{"iptables", "nftables"}

func smallRun(t *testing.T) *results.Data {
	data := synthetic{modes: twoModes, points: []int{100, 5000}, blocks: 3, samples: 400, small: true}.run(t)
	data.Trials[0].Warnings = []results.Warning{{Metric: "path", Message: "a packet was seen twice"}}
	data.Trials[5].Status, data.Trials[5].Error = results.Failed, "kube-proxy ended: exit status 1"
	data.Trials[1].Missing = []results.Missing{{Metric: "proxy.sync", Because: "the metrics endpoint did not answer"}}
	data.Run.Plan = append(data.Run.Plan, results.PlannedTrial{ID: "b04-100-iptables"})
	data.Run.Interrupted = "interrupted by the user"
	return data
}

func summarize(t *testing.T, data *results.Data, opts Options) *Summary {
	t.Helper()
	s, err := Summarize(data, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draw(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	s := summarize(t, smallRun(t), Options{})
	golden(t, "small.json", draw(t, s.WriteJSON))
	golden(t, "small.md", draw(t, s.WriteMarkdown))
	golden(t, "small.txt", draw(t, s.WriteText))
	// Style and curves are looked at, not compared.
	page := draw(t, s.WriteHTML)
	page = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAll(page, []byte("<style></style>"))
	page = regexp.MustCompile(`(?s)</desc>.*?</svg>`).ReplaceAll(page, []byte("</desc></svg>"))
	golden(t, "small.html", page)
}

// TestTenBlocks checks that the known differences are found, and that the
// page keeps its promises.
func TestTenBlocks(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100, 1000, 5000}, blocks: 10, samples: 300}.run(t)
	s := summarize(t, data, Options{})
	at := results.Point{Services: 5000, Endpoints: 2}
	row := findRow(s.Rows, "quick", at, "nftables", "path.p50")
	if row == nil || row.Verdict != Better || row.Ratio < 0.1 || row.Ratio > 0.12 || row.RatioLo >= row.RatioHi || row.N != 10 || row.Samples != 3000 {
		t.Errorf("path.p50 of nftables at 5,000 Services: %+v", row)
	}
	if r := findRow(s.Rows, "quick", at, "nftables", "http.keepalive.p50"); r == nil || r.Verdict != NoDifference {
		t.Errorf("http.keepalive.p50, which is the same in both modes: %+v", r)
	}
	for _, metric := range []string{"rules.count", "connect.lag.p50", "populate.rate"} {
		if r := findRow(s.Rows, "quick", at, "nftables", metric); r == nil || r.Verdict != "" || !r.Ratio.Known() {
			t.Errorf("%s is no judgement: %+v", metric, r)
		}
	}
	if findRow(s.Rows, "quick", at, "nftables", "path.p999") != nil {
		t.Error("3,000 samples have a p99.9")
	}
	if r := findRow(s.Rows, "quick", at, "nftables", "connect.churn.p50"); r == nil || r.Censored != 20 {
		t.Errorf("20 time-outs: %+v", r)
	}
	html := draw(t, s.WriteHTML)
	if len(html) > 1500<<10 {
		t.Errorf("the page has %d bytes", len(html))
	}
	checkPage(t, string(html))
	if again := draw(t, summarize(t, data, Options{}).WriteHTML); !bytes.Equal(html, again) {
		t.Error("drawn again, the page differs")
	}
	swapped := summarize(t, data, Options{Baseline: "nftables"})
	if r := findRow(swapped.Rows, "quick", at, "iptables", "path.p50"); r == nil || r.Verdict != Worse || r.Ratio < 8 {
		t.Errorf("with the other baseline: %+v", r)
	}
}

// checkPage checks what holds for every page: it loads nothing, and ids are
// unique and all links within the page have a target.
func checkPage(t *testing.T, html string) {
	t.Helper()
	for _, stray := range []string{"<script", "http://", "https://", "url(", "ZgotmplZ", "NaN", "%!"} {
		text := strings.ReplaceAll(html, "http://www.w3.org/2000/svg", "")
		if i := strings.Index(text, stray); i >= 0 {
			t.Errorf("the page has %q: ...%s...", stray, text[max(0, i-60):min(len(text), i+60)])
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("id %q is not unique", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("link to %q leads nowhere", m[1])
		}
	}
}

// TestPartialRuns checks that whatever there is gives a page.
func TestPartialRuns(t *testing.T) {
	fail := func(d *results.Data) {
		for _, trial := range d.Trials {
			trial.Status, trial.Error = results.Failed, "etcd ended"
		}
	}
	for _, test := range []struct {
		name    string
		run     synthetic
		change  func(*results.Data)
		finding string
	}{
		{"nothing at all", synthetic{}, func(d *results.Data) { *d = results.Data{} }, ""},
		{"no complete trial", synthetic{modes: twoModes, points: []int{100}, blocks: 1, samples: 50}, fail, "No trial is complete"},
		{"one mode", synthetic{modes: twoModes[1:], points: []int{100, 1000}, blocks: 1, samples: 50}, nil, "Only one mode"},
		{"one point", synthetic{modes: twoModes, points: []int{100}, blocks: 2, samples: 50}, nil, "2 blocks give estimates, with wide intervals, and no verdict"},
		{"baseline failed", synthetic{modes: twoModes, points: []int{100, 1000}, blocks: 1, samples: 50}, func(d *results.Data) {
			d.Trials[2].Status = results.Failed
		}, "iptables has no complete trial at the largest point"},
		{"endpoints are the axis", synthetic{modes: twoModes, points: []int{100, 200}, blocks: 2, samples: 50}, func(d *results.Data) {
			for _, trial := range d.Trials {
				trial.Point = results.Point{Services: 10, Endpoints: trial.Point.Services}
			}
		}, "At 200 endpoints per Service"},
		{"unknown mode", synthetic{modes: []string{"iptables", "<b>mine</b>"}, points: []int{100}, blocks: 6, samples: 50}, nil, "<b>mine</b>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := test.run.run(t)
			if test.change != nil {
				test.change(data)
			}
			s := summarize(t, data, Options{})
			found := slices.ContainsFunc(s.Findings, func(f Finding) bool { return strings.Contains(f.Text, test.finding) })
			if !found && test.finding != "" {
				t.Errorf("no finding has %q: %+v", test.finding, s.Findings)
			}
			html := string(draw(t, s.WriteHTML))
			checkPage(t, html)
			if strings.Contains(html, "<b>mine") {
				t.Error("text became markup")
			}
			draw(t, s.WriteText)
			draw(t, s.WriteMarkdown)
			var back map[string]any
			if err := json.Unmarshal(draw(t, s.WriteJSON), &back); err != nil {
				t.Errorf("the summary is no JSON: %v", err)
			}
			if _, ok := back["rows"].([]any); !ok {
				t.Errorf("rows are %v", back["rows"])
			}
		})
	}
}

func TestRefused(t *testing.T) {
	run := synthetic{modes: twoModes, points: []int{100}, blocks: 1, samples: 50, small: true}
	for _, test := range []struct {
		name   string
		change func(*results.Data)
		opts   Options
		code   failure.Code
	}{
		{"baseline not in the run", func(*results.Data) {}, Options{Baseline: "ipvs"}, failure.Usage},
		{"damaged histogram", func(d *results.Data) { d.Trials[0].Histograms[0].HDR = "?" }, Options{}, failure.Invalid},
		{"same block twice", func(d *results.Data) { d.Trials[1].Mode = "iptables" }, Options{}, failure.Invalid},
		{"two providers", func(d *results.Data) {
			second := *d.Trials[0]
			second.ID, second.Block, second.Provider = "b02", 2, "kind"
			d.Trials = append(d.Trials, &second)
		}, Options{}, failure.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := run.run(t)
			test.change(data)
			if _, err := Summarize(data, test.opts); failure.CodeOf(err) != test.code {
				t.Errorf("error %v has the code %d, want %d", err, failure.CodeOf(err), test.code)
			}
		})
	}
}

// TestCensoredChanges checks that changes which traffic never saw make a
// median a lower bound, and a mode incomparable.
func TestCensoredChanges(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100}, blocks: 6, samples: 50, small: true}.run(t)
	for _, trial := range data.Trials {
		for i := range trial.Changes {
			c := &trial.Changes[i]
			if trial.Mode == "nftables" && i <= 4 { // as if its tables could be looked up
				c.Programmed = c.Sent + 1e6
			}
			c.LastOld = c.Sent - 1 // the removed endpoints never answer after the write
			if trial.Mode == "nftables" && i > 4 {
				c.FirstNew, c.GaveUp = 0, c.Sent+20e9
			}
		}
		trial.Changes[0].Error = "conflict"
	}
	s := summarize(t, data, Options{})
	at := results.Point{Services: 100, Endpoints: 2}
	r := findRow(s.Rows, "quick", at, "nftables", "programming.add.p50")
	if r == nil || !r.AtLeast || r.Estimate != 20 || r.Verdict != NotComparable || r.Ratio.Known() || r.Errors != 6 {
		t.Errorf("programming.add.p50 with most changes unseen: %+v", r)
	}
	r = findRow(s.Rows, "quick", at, "nftables", "programming.table.p50")
	if r == nil || !r.AtLeast || r.Estimate != 20 || r.Censored == 0 {
		t.Errorf("programming.table.p50 with most changes in no table: %+v", r)
	}
	if r := findRow(s.Rows, "quick", at, "iptables", "programming.table.p50"); r != nil {
		t.Errorf("programming.table.p50 without tables: %+v", r)
	}
	r = findRow(s.Rows, "quick", at, "iptables", "programming.remove.p50")
	if r == nil || r.Estimate != 0 {
		t.Errorf("programming.remove.p50 where no removed endpoint answered: %+v", r)
	}
	draw(t, s.WriteHTML)
}

// TestBlockOfTimeouts checks that a block in which every connection timed out
// does not leave the comparison to the better ones.
func TestBlockOfTimeouts(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100}, blocks: 6, samples: 50, small: true}.run(t)
	for _, trial := range data.Trials {
		if trial.Mode == "nftables" && trial.Block == 2 {
			for i := range trial.Histograms {
				trial.Histograms[i] = results.Histogram{Metric: trial.Histograms[i].Metric, Class: "all", Censored: 50}
			}
		}
	}
	r := findRow(summarize(t, data, Options{}).Rows, "quick", results.Point{Services: 100, Endpoints: 2}, "nftables", "connect.p50")
	if r == nil || r.Verdict != NotComparable || r.Ratio.Known() || r.Lo.Known() || r.Censored != 50 {
		t.Errorf("connect.p50 with a block of time-outs: %+v", r)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	data := smallRun(t)
	paths, err := Write(dir, data, Options{})
	if err != nil || len(paths) != 2 {
		t.Fatalf("Write = %v, %v", paths, err)
	}
	before, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, data, Options{}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(paths[0])
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("written again, the report differs: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 7 {
		t.Errorf("the folder has %v", files)
	}
	if _, err := Write(filepath.Join(dir, "absent"), data, Options{}); failure.CodeOf(err) != failure.Environment {
		t.Errorf("into a folder that does not exist: %v", err)
	}
}
