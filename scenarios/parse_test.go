package scenarios

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/failure"
)

var update = flag.Bool("update", false, "rewrite golden files and schema.json")

// golden compares got with a file, or rewrites the file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +now; -update rewrites it):\n%s", file, diff)
	}
}

// header is the part of a file that most tests do not care about.
const header = "apiVersion: svcbench/v1alpha1\nkind: Scenario\nname: test\ntitle: Test\n"

func mustParse(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// problemsOf parses a text that must have problems.
func problemsOf(t *testing.T, text string) Problems {
	t.Helper()
	_, err := Parse("test.yaml", []byte(text))
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("Parse gave %v, want Problems", err)
	}
	return problems
}

func TestParseProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(name, data)
			if err == nil {
				t.Fatalf("no problem found, got %+v", s)
			}
			if code := failure.CodeOf(err); code != failure.Usage {
				t.Errorf("exit code %d, want %d", code, failure.Usage)
			}
			if failure.HintOf(err) == "" {
				t.Error("no hint")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", []byte(err.Error()+"\n"))
		})
	}
}

// TestFiveMistakes is what the documentation promises: five mistakes, five
// problems, in the order of the file.
func TestFiveMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/problems/five-mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("five-mistakes.yaml", data)
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("Parse gave %v, want Problems", err)
	}
	type place struct {
		line, column int
		path         string
		suggestion   string
	}
	var got []place
	for _, p := range problems {
		got = append(got, place{p.Line, p.Column, p.Path, p.Suggestion})
	}
	want := []place{
		{7, 20, "points.services[1]", ""},
		{12, 5, "traffic.connect.durration", "duration"},
		{15, 15, "traffic.http.duration", "10s"},
		{17, 23, "measure[2]", ""},
		{18, 19, "modes[1]", "nftables"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name, text string
		check      func(*Scenario) bool
	}{
		{"nothing but the header", "", func(s *Scenario) bool { return s.Population.Services == DefaultServices }},
		{"rate as a whole number for a fraction", "churn: {kinds: [replace-endpoints], rate: 2, duration: 1s}", func(s *Scenario) bool { return s.Churn.Rate == 2 }},
		{"rate with an exponent", "churn: {kinds: [replace-endpoints], rate: 2.5e-1, duration: 10s}", func(s *Scenario) bool { return s.Churn.Rate == 0.25 }},
		{"quoted text", "baseline: 'ipvs'", func(s *Scenario) bool { return s.Baseline == IPVS }},
		{"largest seed", "seed: 18446744073709551615", func(s *Scenario) bool { return s.Seed == 1<<64-1 }},
		{"no batching", "proxy: {minSyncPeriod: 0s}", func(s *Scenario) bool { return *s.Proxy.MinSyncPeriod == 0 }},
		{"each its own batching", "batching: defaults", func(s *Scenario) bool { return s.Batching == BatchingDefaults && s.Proxy.MinSyncPeriod == nil }},
		{"a window with the batching it is of", "batching: equal\nproxy: {minSyncPeriod: 3s}", func(s *Scenario) bool { return s.Settings().Window(0) == 3*time.Second }},
		{"no waiting and short syncs", "batching: none\nproxy: {syncPeriod: 1ms}", func(s *Scenario) bool { return s.Settings().Window(time.Second) == 0 }},
		{"truth", "ipvs: {strictARP: true, scheduler: mh}", func(s *Scenario) bool { return s.IPVS == IPVSSettings{Scheduler: "mh", StrictARP: true} }},
		{"an untruth that is the default", "ipvs: {strictARP: false}", func(s *Scenario) bool { return s.IPVS == IPVSSettings{Scheduler: "rr"} }},
		{"datapath", "ebpf: {datapath: socket}", func(s *Scenario) bool { return s.EBPF.Datapath == DatapathSocket }},
		{"UDP", "population: {protocol: UDP}\ntraffic: {connect: {rate: 10, duration: 1s}}", func(s *Scenario) bool { return s.Population.Protocol == UDP && s.Measures(Connect) }},
		{"all node ports", "population: {type: NodePort, services: 173, ports: 16}", func(s *Scenario) bool { return s.Population.Services*s.Population.Ports == MaxNodePorts }},
		{"largest point", "points: [{services: 100000, endpoints: 10}]", func(s *Scenario) bool { return s.Points[0].Endpoints == 10 }},
		{"alias", "points: {services: &n [10, 20], endpoints: *n}", func(s *Scenario) bool { return len(s.Points) == 4 && s.Points[3].Endpoints == 20 }},
		{"alias of the whole axis", "population: {services: 7}\npoints: [&p {services: 5}, {services: 6}]", func(s *Scenario) bool { return len(s.Points) == 2 }},
		{"an explicit document", "---\n", nil},
		{"an explicit zero that is the default", "proxy: {verbosity: 0}", func(s *Scenario) bool { return s.Proxy.Verbosity == 0 }},
		{"dollar, colon and umlauts in text", "description: 'ä: $x # y'", func(s *Scenario) bool { return s.Description == "ä: $x # y" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := header + tt.text + "\n"
			if strings.HasPrefix(tt.text, "---") {
				text = tt.text + header
			}
			s := mustParse(t, text)
			if tt.check != nil && !tt.check(s) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestEndpoints counts what a Service implementation has to hold.
func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		population string
		endpoints  int
	}{
		{"{services: 10, endpoints: 3}", 30},
		{"{services: 10, endpoints: 3, ports: 2}", 60},
		{"{services: 10, endpoints: 3, ports: 2, type: NodePort}", 60},
		{"{services: 10, endpoints: 3, ports: 2, protocol: UDP}", 60},
	} {
		s := mustParse(t, header+"population: "+c.population+"\n")
		if e := s.Endpoints(Point{}); e != c.endpoints {
			t.Errorf("%s: %d endpoints, want %d", c.population, e, c.endpoints)
		}
		if e := s.Endpoints(Point{Services: 100}); e != 10*c.endpoints {
			t.Errorf("%s at 100 Services: %d endpoints", c.population, e)
		}
	}
	if got := (&Scenario{}).Endpoints(Point{Services: 7}); got != 7*DefaultEndpoints {
		t.Errorf("%d endpoints of a scenario without defaults, want %d", got, 7*DefaultEndpoints)
	}
}

func TestParseOtherLineEnds(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(header+"blocks: x\n", "\n", "\r\n")
	p := problemsOf(t, text)[0]
	if p.Line != 5 || p.Column != 9 || !strings.Contains(p.String(), "blocks: x\n") {
		t.Errorf("got %d:%d\n%s", p.Line, p.Column, p)
	}
}

// TestParseHostile feeds what a mistaken or malicious hand could: each must
// give exactly one problem, with a position.
func TestParseHostile(t *testing.T) {
	tests := map[string]string{
		"too large":      header + "# " + strings.Repeat("x", MaxFileSize),
		"deep flow":      "a: " + strings.Repeat("[", 100_000),
		"deep mappings":  "a: " + strings.Repeat("{a: ", 30_000),
		"deep block":     strings.Repeat("- ", 100_000),
		"deep questions": strings.Repeat("? ", 100_000),
		"one long key":   strings.Repeat("k", MaxFileSize-10) + ": 1",
		"zeros":          strings.Repeat("\x00", 1000),
		"noncharacter":   "a: \uffff",
		"surrogates":     "a: \xed\xa0\x80",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			problems := problemsOf(t, text)
			if name == "one long key" { // the key and the four missing fields
				problems = problems[:1]
			}
			if len(problems) != 1 || problems[0].Line < 1 || problems[0].Column < 1 {
				t.Errorf("got %d problems, the first %+v", len(problems), problems[0])
			}
			if text := problems.Error(); len(text) > 1000 {
				t.Errorf("a message of %d bytes", len(text))
			}
		})
	}
}

// TestProblemsAreHarmless checks that a file cannot send escape sequences to
// the terminal that shows its problems.
func TestProblemsAreHarmless(t *testing.T) {
	text := header + "\"\\e[2Jbad\": 1\nmodes: [\"\\e]0;x\\a\", \u009b2J]\n"
	if got := problemsOf(t, text).Error(); strings.ContainsAny(got, "\x1b\a\u009b") {
		t.Errorf("control characters in %q", got)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	files = append(files, "quick.yaml", "service-scale.yaml", "socket-lb.yaml", "kernel-effect.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("fuzz.yaml", data)
		if err == nil {
			again, err := Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse("again.yaml", again)
			if err != nil {
				t.Fatalf("Marshal wrote what Parse refuses: %v\n%s", err, again)
			}
			if diff := cmp.Diff(s, got); diff != "" {
				t.Fatalf("Marshal and Parse changed the scenario:\n%s\n%s", diff, again)
			}
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("error %v (%T) is not a list of problems", err, err)
		}
		for i, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("incomplete problem %+v", p)
			}
			if p.Line > bytes.Count(data, []byte("\n"))+1 && !bytes.ContainsAny(data, "\r\u0085\u2028\u2029") {
				t.Errorf("line %d of a shorter file: %v", p.Line, p)
			}
			if i > 0 && p.Line < problems[i-1].Line {
				t.Errorf("problems out of order: %v", problems)
			}
		}
		_ = problems.Error()
	})
}
