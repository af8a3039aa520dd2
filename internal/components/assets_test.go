package components

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"svcbench/internal/failure"
)

// assetStore returns a store whose module has two folders that lie beside its
// programs.
func assetStore(t *testing.T) (store *Store, stub string) {
	t.Helper()
	store, stub = stubStore(t)
	store.modules[0].assets = []asset{
		{From: "bpf", To: "bpf", LeaveOut: []string{"tests"}},
		{From: "api/crds", To: "crds", LeaveOut: []string{"*/*.go"}},
	}
	for _, file := range []string{"bpf/host.c", "bpf/lib/lb.h", "bpf/lib/tests/kept.h", "bpf/tests/lb.c", "api/crds/v2/nodes.yaml", "api/crds/v2/embed.go", "go.mod"} {
		path := filepath.Join(stub, "source", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, "this is "+file, 0o444) // as in the module cache
	}
	return store, stub
}

// filesIn checks that a folder has these files and no others, and that their
// owner may write to all of it.
func filesIn(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode()&0o200 == 0 {
			t.Errorf("%s cannot be written to: %v", path, info.Mode())
		}
		if !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			got = append(got, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func TestAssets(t *testing.T) {
	s, _ := assetStore(t)
	paths := ensure(t, s)
	for _, program := range paths {
		filesIn(t, Beside(program, BPF), "host.c", "lib/lb.h", "lib/tests/kept.h")
		filesIn(t, Beside(program, CRDs), "v2/nodes.yaml")
	}
	text, err := os.ReadFile(filepath.Join(Beside(paths["other"], BPF), "lib", "lb.h"))
	if err != nil || string(text) != "this is bpf/lib/lb.h" {
		t.Errorf("lb.h is %q, %v", text, err)
	}
	all, err := s.Status(t.Context())
	if err != nil || !slices.Equal(all[0].Assets, []string{"bpf", "crds"}) {
		t.Errorf("status %+v, %v", all, err)
	}
	only(t, s, "tiny-v1.2.3", "tiny-v1.2.3.lock")
}

// TestAssetsDamaged checks what makes copies count.
func TestAssetsDamaged(t *testing.T) {
	tests := []struct {
		name    string
		change  func(t *testing.T, s *Store, dir string)
		because string
	}{
		{"nothing", func(*testing.T, *Store, string) {}, ""},
		{"file removed", func(_ *testing.T, _ *Store, dir string) {
			_ = os.Remove(filepath.Join(dir, "bpf", "lib", "lb.h"))
		}, "bpf is not as it was built"},
		{"folder removed", func(_ *testing.T, _ *Store, dir string) {
			_ = os.RemoveAll(filepath.Join(dir, "crds"))
		}, "crds is not as it was built"},
		{"file truncated", func(t *testing.T, _ *Store, dir string) {
			write(t, filepath.Join(dir, "bpf", "host.c"), "", 0o644)
		}, "bpf is not as it was built"},
		{"file added", func(t *testing.T, _ *Store, dir string) {
			write(t, filepath.Join(dir, "bpf", "new.c"), "", 0o644)
		}, "bpf is not as it was built"},
		{"other files wanted", func(_ *testing.T, s *Store, _ string) {
			s.modules[0].assets[0].LeaveOut = nil
		}, "other files of its source are wanted now"},
		{"one more wanted", func(_ *testing.T, s *Store, _ string) {
			s.modules[0].assets = append(s.modules[0].assets, asset{From: "bpf/lib", To: "lib"})
		}, "other files of its source are wanted now"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, stub := assetStore(t)
			ensure(t, s)
			test.change(t, s, filepath.Join(s.dir, "tiny-v1.2.3"))
			all, err := s.Status(t.Context())
			if err != nil || all[0].Because != test.because {
				t.Errorf("built again because %q, %v; want %q", all[0].Because, err, test.because)
			}
			ensure(t, s)
			if again := builds(t, stub) == 2; again != (test.because != "") {
				t.Errorf("%d builds", builds(t, stub))
			}
			if all, err = s.Status(t.Context()); err != nil || all[0].State != Ready {
				t.Errorf("afterwards: %+v, %v", all, err)
			}
		})
	}
}

func TestAssetsNotInSource(t *testing.T) {
	s, stub := assetStore(t)
	if err := os.RemoveAll(filepath.Join(stub, "source", "bpf")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ensure(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "copy bpf of its source") {
		t.Errorf("error is %v", err)
	}
	only(t, s, "tiny-v1.2.3.lock")
}

func TestUseDirAssets(t *testing.T) {
	s, _ := assetStore(t)
	dir := t.TempDir()
	s.UseDir(dir)
	for _, name := range []string{"tiny-server", "other"} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\necho v1.2.3\n", 0o755)
	}
	refused := func(what, folder string) {
		t.Helper()
		_, err := s.Ensure(t.Context(), []string{"other"}, nil)
		if failure.CodeOf(err) != failure.Environment || !strings.Contains(err.Error(), "other needs its folder "+folder) ||
			!strings.Contains(failure.HintOf(err), "put other v1.2.3, bpf, crds there") {
			t.Errorf("%s: error %v, hint %q", what, err, failure.HintOf(err))
		}
	}
	refused("nothing", "bpf")
	write(t, filepath.Join(dir, "bpf"), "x", 0o644)
	refused("a file instead of a folder", "bpf")
	if err := os.Remove(filepath.Join(dir, "bpf")); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, "bpf")); err != nil {
		t.Fatal(err)
	}
	refused("an empty folder", "bpf")
	write(t, filepath.Join(elsewhere, "host.c"), "x", 0o644)
	refused("one of two folders", "crds")
	if err := os.Mkdir(filepath.Join(dir, "crds"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "crds", "nodes.yaml"), "x", 0o644)
	paths, err := s.Ensure(t.Context(), nil, nil)
	if err != nil || len(paths) != 2 || paths["other"] != filepath.Join(dir, "other") {
		t.Errorf("all is there: paths %v, error %v", paths, err)
	}
}

// TestOnlyWhatIsWanted checks that a module is not built, nor its folder made,
// for the programs of another.
func TestOnlyWhatIsWanted(t *testing.T) {
	s, stub := assetStore(t)
	big := tinyModule()
	big.name, big.programs = "big", []program{{name: "big-agent", pkg: "example.test/big/daemon"}}
	s.modules = append(s.modules, big)
	if _, err := s.Ensure(t.Context(), []string{"other"}, nil); err != nil {
		t.Fatal(err)
	}
	only(t, s, "tiny-v1.2.3", "tiny-v1.2.3.lock")
	all, err := s.Status(t.Context())
	if err != nil || len(all) != 3 || all[2].Name != "big-agent" || all[2].State != Missing {
		t.Errorf("status %+v, %v", all, err)
	}
	if builds(t, stub) != 1 {
		t.Errorf("%d builds", builds(t, stub))
	}
}

// TestCiliumVersion checks that what Cilium's agent prints, given the linker
// flag, is read as its version.
func TestCiliumVersion(t *testing.T) {
	_, stamped, _ := strings.Cut(ciliumVersion("v1.20.2"), "=")
	path := filepath.Join(t.TempDir(), "cilium-agent")
	write(t, path, "#!/bin/sh\necho cilium-agent "+strings.TrimSuffix(stamped, "'")+" go version go1.26.8 linux/amd64\n", 0o755)
	if got, err := versionOf(t.Context(), path); err != nil || got != "v1.20.2" {
		t.Errorf("version is %q, %v", got, err)
	}
}

// TestFilesAlone checks a component that is files: nothing is compiled for it, and
// it can be one of the user's.
func TestFilesAlone(t *testing.T) {
	s, stub := assetStore(t)
	chart := tinyModule()
	chart.name, chart.use, chart.programs = "tiny-chart", Kind, nil
	chart.assets = []asset{{From: "api", To: Chart}, {From: "api/crds", To: CRDs}}
	s.modules = append(s.modules, chart)
	paths, err := s.Ensure(t.Context(), []string{"tiny-chart"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	filesIn(t, Beside(paths["tiny-chart"], CRDs), "v2/embed.go", "v2/nodes.yaml")
	only(t, s, "tiny-chart-v1.2.3", "tiny-chart-v1.2.3.lock")
	if n := builds(t, stub); n != 0 {
		t.Errorf("%d builds", n)
	}
	all, err := s.Status(t.Context())
	if err != nil || all[2].State != Ready || all[2].Path != paths["tiny-chart"] {
		t.Errorf("status %+v, %v", all, err)
	}

	s.UseDir(filepath.Dir(paths["tiny-chart"]))
	if given, err := s.Ensure(t.Context(), []string{"tiny-chart"}, nil); err != nil || given["tiny-chart"] != paths["tiny-chart"] {
		t.Errorf("given: %v, %v", given, err)
	}
	s.UseDir(t.TempDir())
	if _, err := s.Ensure(t.Context(), []string{"tiny-chart"}, nil); failure.CodeOf(err) != failure.Environment {
		t.Errorf("from an empty folder: %v", err)
	}
}
