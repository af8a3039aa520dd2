package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/failure"
)

func TestBuiltins(t *testing.T) {
	all, err := Builtins()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if s.Description == "" {
			t.Errorf("%s has no description", s.Name)
		}
		loaded, err := Load(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&s, loaded); diff != "" {
			t.Errorf("Load(%q) differs from Builtins:\n%s", s.Name, diff)
		}
		// What Source gives is a file that a user may keep and change.
		source, err := Source(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(file, source, 0o644); err != nil {
			t.Fatal(err)
		}
		if mine, err := Load(file); err != nil || mine.Name != s.Name {
			t.Errorf("Load of the source of %s = %v, %v", s.Name, mine, err)
		}
	}
	// The cheapest comes first.
	if len(names) < 2 || names[0] != "quick" {
		t.Errorf("Builtins = %v", names)
	}
}

// Without --modes a built-in scenario measures every mode that runs, and
// together they have both datapaths of ebpf.
func TestBuiltinsTakeAllModes(t *testing.T) {
	all, err := Builtins()
	if err != nil {
		t.Fatal(err)
	}
	variants := map[string]bool{}
	for _, s := range all {
		if len(s.Modes) > 0 || s.Baseline != IPTables {
			t.Errorf("%s has the modes %v and the baseline %s", s.Name, s.Modes, s.Baseline)
		}
		variants[s.Settings().Variant(EBPF)] = true
	}
	for _, d := range Datapaths() {
		if !variants[string(d)] {
			t.Errorf("no built-in scenario has the datapath %s", d)
		}
	}
}

func TestVariant(t *testing.T) {
	for _, test := range []struct {
		settings Settings
		mode     Mode
		want     string
	}{
		{Settings{}, IPTables, ""},
		{Settings{EBPF: EBPFSettings{Datapath: DatapathSocket}}, NFTables, ""},
		{Settings{EBPF: EBPFSettings{Datapath: DatapathSocket}}, EBPF, "socket"},
		{Settings{EBPF: EBPFSettings{Datapath: DatapathTC}}, EBPF, "tc"},
		{Settings{}, EBPF, "tc"},
		{Settings{}, IPVS, ""},
		{Settings{IPVS: IPVSSettings{Scheduler: "rr"}}, IPVS, ""},
		{Settings{IPVS: IPVSSettings{Scheduler: "wlc"}}, IPVS, "wlc"},
	} {
		if got := test.settings.Variant(test.mode); got != test.want {
			t.Errorf("%s with %+v: %q, want %q", test.mode, test.settings, got, test.want)
		}
	}
}

func TestQuickHasPointsOnBothSides(t *testing.T) {
	s, err := Load("quick")
	if err != nil {
		t.Fatal(err)
	}
	want := []Point{{Services: 100, Endpoints: 2}, {Services: 1000, Endpoints: 2}, {Services: 5000, Endpoints: 2}}
	if got := s.ResolvedPoints(); !slices.Equal(got, want) || s.Blocks != 3 {
		t.Errorf("points %v in %d blocks", got, s.Blocks)
	}
	for _, i := range Instruments() {
		if s.Measures(i) != (i != Restart && i != Saturation) { // which nobody gets who does not ask for it
			t.Errorf("%s is measured: %t", i, s.Measures(i))
		}
	}
}

func TestLoadFails(t *testing.T) {
	for name, want := range map[string]string{
		"quik":               "did you mean \"quick\"?",
		"nothing-like-it":    "no built-in scenario is called \"nothing-like-it\"",
		"./missing.yaml":     "missing.yaml: no such file",
		"testdata/problems/": "is a directory",
	} {
		_, err := Load(name)
		if failure.CodeOf(err) != failure.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q) = %v (code %d), want %q", name, err, failure.CodeOf(err), want)
		}
	}
	if _, err := Source("quik"); failure.CodeOf(err) != failure.Usage || failure.HintOf(err) == "" {
		t.Errorf("Source = %v", err)
	}
}

func TestOverrides(t *testing.T) {
	base := func() *Scenario {
		return mustParse(t, header+"points: [{services: 10, endpoints: 2}, {services: 10, endpoints: 5}, {services: 20, endpoints: 2}]\nmodes: [iptables, nftables]\nblocks: 4\n")
	}
	seed, zero := uint64(9), uint64(0)
	s := base()
	err := Overrides{Modes: []Mode{NFTables, EBPF}, Points: []int{7, 8}, Blocks: new(2), Seed: &seed}.Apply(s)
	if err != nil {
		t.Fatal(err)
	}
	wantPoints := Points{{Services: 7, Endpoints: 2}, {Services: 7, Endpoints: 5}, {Services: 8, Endpoints: 2}, {Services: 8, Endpoints: 5}}
	if !slices.Equal(s.Points, wantPoints) || !slices.Equal(s.Modes, []Mode{NFTables, EBPF}) || s.Baseline != NFTables || s.Blocks != 2 || s.Seed != 9 {
		t.Errorf("after Apply: %+v", s)
	}
	unchanged := base()
	if err := (Overrides{}).Apply(unchanged); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(base(), unchanged); diff != "" {
		t.Errorf("no overrides changed the scenario:\n%s", diff)
	}
	for _, c := range []struct {
		o    Overrides
		flag string
	}{
		{Overrides{Modes: []Mode{"nftable"}}, "--modes"},
		{Overrides{Points: []int{0}}, "--points"},
		{Overrides{Points: []int{0}, Seed: &zero}, "--points"},
		{Overrides{Points: []int{5, 5}}, "--points"},
		{Overrides{Blocks: new(-1)}, "--blocks"},
		{Overrides{Blocks: new(0)}, "--blocks"},
		{Overrides{Seed: &zero}, "--seed"},
	} {
		s := base()
		err := c.o.Apply(s)
		problems, ok := errors.AsType[Problems](err)
		if failure.CodeOf(err) != failure.Usage || !ok || problems[0].File != c.flag || strings.Contains(err.Error(), ":0:") {
			t.Errorf("%+v: %v, want a usage error that names %s", c.o, err, c.flag)
		}
		if diff := cmp.Diff(base(), s); diff != "" {
			t.Errorf("%+v changed the scenario although it failed:\n%s", c.o, diff)
		}
	}
}
