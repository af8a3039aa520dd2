package results

import (
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"svcbench/internal/failure"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var started = time.Date(2026, 11, 27, 5, 15, 0, 0, time.UTC)

func sampleRun() Run {
	return Run{
		Format:   FormatVersion,
		ID:       "20261127-051500-quick",
		Started:  started,
		Command:  "svcbench run quick --modes iptables,nftables",
		Seed:     7,
		Provider: "local",
		Modes: []ModeStatus{
			{Mode: "iptables", Included: true},
			{Mode: "ipvs", Because: "the kernel has no ip_vs"},
		},
		Plan: []PlannedTrial{
			{ID: "001-quick-iptables", Scenario: "quick", Point: Point{Services: 100, Endpoints: 2}, Mode: "iptables", Block: 1, Order: 1, Estimate: 12.5},
			{ID: "002-quick-nftables", Scenario: "quick", Point: Point{Services: 100, Endpoints: 2}, Mode: "nftables", Block: 1, Order: 2, Estimate: 11},
		},
		Scenarios: []ScenarioInfo{{
			Name: "quick", Title: "Quick", Baseline: "iptables", Blocks: 3,
			Points: []Point{{Services: 100, Endpoints: 2}},
			YAML:   "kind: Scenario\nname: quick\n",
		}},
	}
}

func sampleEnvironment() Environment {
	return Environment{
		Kernel: "6.18.0", Arch: "amd64", CPUs: 2,
		Versions: map[string]string{"nft": "1.0.6", "kube-proxy": "v1.37.2"},
		Sysctls:  map[string]string{"net.core.somaxconn": "4096"},
		Hardware: map[string]string{"smt": "on"},
		Svcbench: "v0.1.0",
		Facts:    map[string]string{"masquerade": "no"},
	}
}

func sampleTrial(order int, id string) *Trial {
	return &Trial{
		ID: id, Scenario: "quick", Point: Point{Services: 100, Endpoints: 2},
		Mode: "iptables", Provider: "local", Block: 1, Order: order,
		Started: started, Finished: started.Add(10 * time.Second), Status: Complete,
		Phases:      []Phase{{Name: "connect", Start: 1, End: 2}},
		Scalars:     []Scalar{{Metric: ProxyRSS, Unit: "bytes", Value: 1 << 27}, {Metric: ColdStart, Unit: "s", Value: 0.1, Censored: true}},
		Missing:     []Missing{{Metric: Path, Because: "the kernel is older than 4.5 & has no clsact"}},
		Warnings:    []Warning{{Metric: Connect, Message: "p99 lag > 1 ms"}},
		ProxyConfig: "mode: iptables\n",
		Histograms:  []Histogram{{Metric: Connect, Class: ClassAll, HDR: "HISTFAAAAB", Count: 3, Censored: 1, Errors: map[string]int64{"reset": 1, "refused": 2}}},
		Series:      []Series{{Metric: Connect, Phase: "connect", Start: 1, Width: 100, Bins: []Bin{{Count: 3, P50: 1, P99: 2, Max: 3}}}},
		Changes: []Change{
			{ID: 1, Kind: "replace-endpoints", Service: "s-1", Due: 1, Sent: 2, Acked: 3, FirstNew: 4, OldSettled: 5, GaveUp: 6, Probes: 7},
			{ID: 2, Kind: "replace-endpoints", Service: "s-2", Due: 1, GaveUp: 6, Error: "conflict"},
		},
	}
}

func create(t *testing.T) *Writer {
	t.Helper()
	w, err := Create(filepath.Join(t.TempDir(), "runs", "one"), sampleRun(), sampleEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func commit(t *testing.T, w *Writer, trial *Trial) {
	t.Helper()
	temporary, err := w.Begin(trial.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(temporary, LogFolder, "etcd.log"), []byte("ready\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(trial); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Data {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	w := create(t)
	second, first := sampleTrial(2, "002-quick-nftables"), sampleTrial(1, "001-quick-iptables")
	commit(t, w, second)
	commit(t, w, first)
	if err := w.Finish(started.Add(time.Minute), "the user stopped it"); err != nil {
		t.Fatal(err)
	}
	got := open(t, w.Dir())
	run := sampleRun()
	run.Finished, run.Interrupted = started.Add(time.Minute), "the user stopped it"
	want := &Data{Dir: w.Dir(), Run: run, Environment: sampleEnvironment(), Trials: []*Trial{first, second}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Open = %+v\nwant   %+v", got, want)
	}
}

func TestLayout(t *testing.T) {
	w := create(t)
	commit(t, w, sampleTrial(1, "001-quick-iptables"))
	// A trial that measured nothing must not give null to readers in
	// other languages.
	commit(t, w, &Trial{ID: "002-quick-nftables", Order: 2, Status: Failed, Error: "the API server died", Started: started, Finished: started})
	if err := w.Finish(started.Add(time.Minute), ""); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "run")
	if *update {
		if err := errors.Join(os.RemoveAll(golden), os.CopyFS(golden, os.DirFS(w.Dir()))); err != nil {
			t.Fatal(err)
		}
	}
	got, want := tree(t, w.Dir()), tree(t, golden)
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is\n%s\nwant\n%s", name, got[name], want[name])
		}
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("unexpected file %s", name)
		}
	}
}

// tree maps the files under dir to their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestUnfinishedTrialsAreNotRead(t *testing.T) {
	w := create(t)
	commit(t, w, sampleTrial(1, "001-quick-iptables"))
	temporary, err := w.Begin("002-quick-nftables")
	if err != nil {
		t.Fatal(err)
	}
	// As a kill -9 in the middle of Commit leaves it.
	if err := os.WriteFile(filepath.Join(temporary, trialFile), []byte(`{"id": "002`), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := open(t, w.Dir()).Trials; len(got) != 1 || got[0].ID != "001-quick-iptables" {
		t.Errorf("trials = %v, want the committed one", got)
	}
	if err := w.Discard("002-quick-nftables"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(temporary); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Discard, Lstat = %v, want that it is gone", err)
	}
	if err := w.Discard("002-quick-nftables"); err != nil {
		t.Errorf("second Discard = %v", err)
	}
}

func TestFullDiskCommitsNothingAndCanBeRetried(t *testing.T) {
	w := create(t)
	trial := sampleTrial(1, "001-quick-iptables")
	temporary, err := w.Begin(trial.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(temporary, seriesFile)); err != nil {
		t.Fatal(err)
	}
	err = w.Commit(trial)
	if failure.CodeOf(err) != failure.Environment || !strings.Contains(failure.HintOf(err), "--out") {
		t.Errorf("Commit = %v (code %d, hint %q), want an environment error with a hint", err, failure.CodeOf(err), failure.HintOf(err))
	}
	if got := open(t, w.Dir()).Trials; len(got) != 0 {
		t.Errorf("%d trials are stored, want none", len(got))
	}
	if err := w.Commit(trial); err != nil { // there is space again
		t.Fatal(err)
	}
	if got := open(t, w.Dir()).Trials; len(got) != 1 || !reflect.DeepEqual(got[0], trial) {
		t.Errorf("trials = %v, want the one committed", got)
	}
	if err := w.Commit(trial); err == nil {
		t.Error("the same trial was committed twice")
	}
}

func TestCreateRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	twice, outside := sampleRun(), sampleRun()
	twice.Scenarios = append(twice.Scenarios, twice.Scenarios[0])
	outside.Scenarios = []ScenarioInfo{{Name: "../../etc/cron.d/x"}}
	for _, c := range []struct {
		name, dir string
		run       Run
		code      failure.Code
		text      string
	}{
		{"folder in use", full, sampleRun(), failure.Usage, "already has something in it"},
		{"file", filepath.Join(full, "notes.txt"), sampleRun(), failure.Usage, "not a directory"},
		{"forbidden", "/sys/svcbench-test", sampleRun(), failure.Environment, "/sys/svcbench-test"},
		{"same scenario twice", filepath.Join(full, "a"), twice, failure.Usage, `"quick" is there twice`},
		{"scenario that is no file name", filepath.Join(full, "a"), outside, failure.Usage, "cannot be the name of a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Create(c.dir, c.run, sampleEnvironment())
			if failure.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Create = %v (code %d), want %q (code %d)", err, failure.CodeOf(err), c.text, c.code)
			}
		})
	}
	if got := slices.Collect(maps.Keys(tree(t, full))); !slices.Equal(got, []string{"notes.txt"}) {
		t.Errorf("left behind: %v", got)
	}
}

func TestOpenNamesTheFileAtFault(t *testing.T) {
	const trial = "trials/001-quick-iptables/"
	for _, c := range []struct {
		name string
		// file gets content; "" removes it.
		file, content string
		code          failure.Code
		text          string
	}{
		{"no run", runFile, "", failure.Usage, "is not a run directory"},
		{"newer", runFile, `{"format": 99, "plan": "elsewhere"}`, failure.Usage, "run.json has format 99, and this svcbench reads up to 1"},
		{"older than all", runFile, `{}`, failure.Invalid, "run.json: format is missing"},
		{"cut off", runFile, "{\n\"format\": 1,\n\"id\"", failure.Invalid, "run.json:3: unexpected end"},
		{"wrong type", runFile, "{\n\"format\": 1,\n\"seed\": \"x\"}", failure.Invalid, "run.json:3: json: cannot unmarshal string into Go struct field Run.seed"},
		{"no environment", environmentFile, "", failure.Invalid, "environment.json: no such file"},
		{"no trial", trial + trialFile, "", failure.Invalid, trial + "trial.json: no such file"},
		{"no histograms", trial + histogramFile, "", failure.Invalid, trial + "histograms.json: no such file"},
		{"empty series", trial + seriesFile, "\n", failure.Invalid, trial + "series.json"},
		{"moved trial", trial + trialFile, `{"id": "002"}`, failure.Invalid, `id is "002", unlike the folder`},
		{"changes cut off", trial + changesFile, "{}\n{}", failure.Invalid, trial + "changes.jsonl:2: the last line is cut off"},
		{"corrupt change", trial + changesFile, "{}\n{]\n", failure.Invalid, trial + "changes.jsonl:2: invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := create(t)
			commit(t, w, sampleTrial(1, "001-quick-iptables"))
			file := filepath.Join(w.Dir(), c.file)
			err := os.Remove(file)
			if c.content != "" {
				err = os.WriteFile(file, []byte(c.content), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(w.Dir())
			if failure.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) || failure.HintOf(err) == "" {
				t.Errorf("Open = %v (code %d, hint %q), want %q (code %d)", err, failure.CodeOf(err), failure.HintOf(err), c.text, c.code)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); failure.CodeOf(err) != failure.Usage {
		t.Errorf("Open of nothing = %v, want a usage error", err)
	}
}

func TestLatest(t *testing.T) {
	root := t.TempDir()
	for i, name := range []string{"zebra", "old", "young"} {
		run := sampleRun()
		run.Started = started.Add(time.Duration(i) * time.Hour)
		if _, err := Create(filepath.Join(root, name), run, sampleEnvironment()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "zzz-not-a-run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Latest(root); err != nil || got != filepath.Join(root, "young") {
		t.Errorf("Latest = %q, %v", got, err)
	}
	for _, empty := range []string{t.TempDir(), filepath.Join(root, "nowhere")} {
		if _, err := Latest(empty); failure.CodeOf(err) != failure.Usage || failure.HintOf(err) == "" {
			t.Errorf("Latest(%s) = %v, want a usage error with a hint", empty, err)
		}
	}
}

func TestNewID(t *testing.T) {
	east := time.FixedZone("", 2*3600)
	for _, c := range []struct {
		scenarios []string
		want      string
	}{
		{nil, "20261127-051500"},
		{[]string{"quick"}, "20261127-051500-quick"},
		{[]string{"quick", "my/own one"}, "20261127-051500-quick-my-own-one"},
		{[]string{"a", "b", "c", "d"}, "20261127-051500-a-b-and-2-more"},
	} {
		if got := NewID(started.In(east), c.scenarios); got != c.want {
			t.Errorf("NewID(%q) = %q, want %q", c.scenarios, got, c.want)
		}
	}
}

func TestUnused(t *testing.T) {
	root := t.TempDir()
	for _, want := range []string{"id", "id-2", "id-3"} {
		got, err := Unused(root, "id")
		if err != nil || got != want {
			t.Errorf("Unused = %q, %v, want %q", got, err, want)
		}
		if err := os.Mkdir(filepath.Join(root, got), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Unused(filepath.Join(root, "not-yet"), "id"); err != nil || got != "id" {
		t.Errorf("Unused in a missing folder = %q, %v", got, err)
	}
}
