package components

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"svcbench/internal/failure"
)

// stubGo stands for the go command where a test has to hold a build, kill it
// or make it fail. It works in the folder $STUB: it appends to "builds" when
// a build starts, runs the script "during" if there is one, and makes two
// programs that know their version.
const stubGo = `#!/bin/sh
set -e
case $1 in
env) cat "$STUB/goversion" ;;
list)
	if [ "$2" = -m ]; then
		echo "$STUB/source"
		exit 0
	fi
	echo "go: downloading example.test/dep v1.0.0" >&2
	printf 'example.test/dep\nexample.test/tiny/lib\n' ;;
build)
	echo build >> "$STUB/builds"
	echo example.test/dep >&2
	[ ! -e "$STUB/during" ] || . "$STUB/during"
	echo example.test/tiny/lib >&2
	for name in tiny other; do
		printf '#!/bin/sh\necho Tiny v1.2.3\n' > "$name"
		chmod +x "$name"
	done ;;
esac
`

func tinyModule() module {
	return module{
		name:    "tiny",
		path:    "example.test/tiny",
		version: "v1.2.3",
		mod:     []byte("module svcbench/components/tiny\n"),
		programs: []program{
			{name: "tiny-server", pkg: "example.test/tiny/v3"},
			{name: "other", pkg: "example.test/tiny/cmd/other"},
		},
		use: Local,
	}
}

// stubStore returns a store that builds with the stub in folder $STUB.
func stubStore(t *testing.T) (store *Store, stub string) {
	t.Helper()
	stub = t.TempDir()
	t.Setenv("STUB", stub)
	write(t, filepath.Join(stub, "go"), stubGo, 0o755)
	write(t, filepath.Join(stub, "goversion"), "go1.26.8\n", 0o644)
	return storeIn(stub), stub
}

func storeIn(stub string) *Store {
	return &Store{dir: filepath.Join(stub, "store"), goPath: filepath.Join(stub, "go"), modules: []module{tinyModule()}}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func builds(t *testing.T, stub string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(stub, "builds"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "build")
}

// ensure builds and checks that every program named runs.
func ensure(t *testing.T, s *Store) map[string]string {
	t.Helper()
	paths, err := s.Ensure(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range paths {
		if version, err := versionOf(t.Context(), path); err != nil || version != "v1.2.3" {
			t.Errorf("%s says it is %q, %v", name, version, err)
		}
	}
	return paths
}

// only checks that the store holds nothing besides.
func only(t *testing.T, s *Store, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the store holds %q, want %q", got, want)
	}
}

func TestEnsureBuildsOnce(t *testing.T) {
	s, stub := stubStore(t)
	var phases []string
	report := func(e Event) {
		if e.Phase == Link {
			e.Done = 0 // how many are linked when it is looked at is a matter of time
		}
		phases = append(phases, fmt.Sprintf("%s %d/%d %s", e.Phase, e.Done, e.Total, e.Detail))
	}
	paths, err := s.Ensure(t.Context(), []string{"other"}, report)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"download 0/0 ", "download 1/0 example.test/dep v1.0.0",
		"compile 0/2 ", "compile 1/2 example.test/dep", "link 0/2 ", "done 2/2 ",
	}
	if got := slices.Compact(phases); !slices.Equal(got, want) {
		t.Errorf("reported %q\nwant     %q", got, want)
	}
	if len(paths) != 1 || paths["other"] == "" {
		t.Errorf("paths are %v, want that of other alone", paths)
	}
	phases = nil
	if _, err := s.Ensure(t.Context(), []string{"tiny-server"}, report); err != nil {
		t.Fatal(err)
	}
	if builds(t, stub) != 1 || !slices.Equal(phases, []string{"done 2/2 "}) {
		t.Errorf("%d builds, reported %q; want one build for all programs of a module", builds(t, stub), phases)
	}
	only(t, s, "tiny-v1.2.3", "tiny-v1.2.3.lock")
	if _, err := s.Ensure(t.Context(), []string{"kube-poxy"}, nil); failure.CodeOf(err) != failure.Usage {
		t.Errorf("an unknown name gives %v", err)
	}
}

// TestStamp checks what makes a build count, and what does not.
func TestStamp(t *testing.T) {
	tests := []struct {
		name    string
		change  func(t *testing.T, s *Store, stub string)
		because string // empty: nothing is built again
	}{
		{"nothing", func(*testing.T, *Store, string) {}, ""},
		{"go upgraded", func(t *testing.T, _ *Store, stub string) {
			write(t, filepath.Join(stub, "goversion"), "go1.27.0\n", 0o644)
		}, "built with go1.26.8, Go is now go1.27.0"},
		{"go gone", func(_ *testing.T, s *Store, _ string) { s.goPath = "/nonexistent/go" }, ""},
		{"flags", func(_ *testing.T, s *Store, _ string) { s.modules[0].ldflags = []string{"-s"} }, "built with other flags"},
		{"pins", func(_ *testing.T, s *Store, _ string) { s.modules[0].sum = []byte("x") }, "its dependencies are pinned differently now"},
		{"stamp damaged", func(t *testing.T, s *Store, _ string) {
			write(t, filepath.Join(s.dir, "tiny-v1.2.3", stampFile), "{", 0o644)
		}, "its stamp.json cannot be read"},
		{"stamp removed", func(_ *testing.T, s *Store, _ string) {
			_ = os.Remove(filepath.Join(s.dir, "tiny-v1.2.3", stampFile))
		}, "never built"},
		{"program truncated", func(t *testing.T, s *Store, _ string) {
			write(t, filepath.Join(s.dir, "tiny-v1.2.3", "other"), "", 0o755)
		}, "other is not as it was built"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, stub := stubStore(t)
			ensure(t, s)
			test.change(t, s, stub)
			all, err := s.Status(t.Context())
			if err != nil || len(all) != 2 {
				t.Fatalf("status: %v, %v", all, err)
			}
			if all[1].Because != test.because || (all[1].State == Ready) != (test.because == "") {
				t.Errorf("status is %q because %q, want because %q", all[1].State, all[1].Because, test.because)
			}
			ensure(t, s)
			if again := builds(t, stub) == 2; again != (test.because != "") {
				t.Errorf("%d builds", builds(t, stub))
			}
		})
	}
}

func TestFailures(t *testing.T) {
	tests := []struct{ name, during, hint string }{
		{"disk full", `echo 'write $WORK/b001/_pkg_.a: no space left on device' >&2; exit 1`, "free 8 GB"},
		{"offline", `echo 'x: Get "https://proxy/": dial tcp: lookup proxy: no such host' >&2; exit 1`, "cannot be reached"},
		{"refused", `echo 'reading https://proxy/x.mod: 403 Forbidden' >&2; exit 1`, "refuses a module"},
		{"old go", `echo 'go: go.mod requires go >= 1.26.0 (running go 1.24.4)' >&2; exit 1`, "install Go 1.26"},
		{"memory", `echo 'example.test/tiny: link: signal: killed' >&2; exit 1`, "out of memory"},
		{"wrong version", `printf '#!/bin/sh\necho v0.0.0\n' > tiny; chmod +x tiny; cp tiny other; exit 0`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, stub := stubStore(t)
			write(t, filepath.Join(stub, "during"), test.during, 0o644)
			_, err := s.Ensure(t.Context(), nil, nil)
			if err == nil {
				t.Fatal("no error")
			}
			if test.hint != "" {
				said := strings.Split(test.during, "'")[1]
				if failure.CodeOf(err) != failure.Environment || !strings.Contains(failure.HintOf(err), test.hint) || !strings.Contains(err.Error(), said) {
					t.Errorf("error %q, hint %q; want what go said, and %q", err, failure.HintOf(err), test.hint)
				}
			}
			if strings.Contains(err.Error(), "example.test/dep") {
				t.Errorf("error shows lines of progress: %q", err)
			}
			only(t, s, "tiny-v1.2.3.lock")
		})
	}
	t.Run("no go", func(t *testing.T) {
		if _, err := os.Stat("/usr/local/go/bin/go"); err == nil {
			t.Skip("Go is in /usr/local/go, where it is found without PATH")
		}
		t.Setenv("PATH", t.TempDir())
		if _, err := NewStore(t.TempDir()).Ensure(t.Context(), nil, nil); failure.CodeOf(err) != failure.Environment {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("not a folder", func(t *testing.T) {
		s, stub := stubStore(t)
		s.dir = filepath.Join(stub, "go", "store")
		if _, err := s.Ensure(t.Context(), nil, nil); err == nil {
			t.Error("no error")
		}
	})
}

func TestUseDir(t *testing.T) {
	s, stub := stubStore(t)
	dir := t.TempDir()
	s.UseDir(dir)
	write(t, filepath.Join(dir, "tiny-server"), "#!/bin/sh\necho Tiny v1.2.4-rc.1+abc\n", 0o755)
	write(t, filepath.Join(dir, "other"), "#!/bin/sh\necho v1.2.3\n", 0o644)
	all, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := all[0]; got.State != Ready || got.Source != Given || got.Found != "v1.2.4-rc.1+abc" || !strings.Contains(got.Warning, "v1.2.3") {
		t.Errorf("another version: %+v", got)
	}
	if got := all[1]; got.State != Missing || !strings.Contains(got.Because, "not an executable file") {
		t.Errorf("not executable: %+v", got)
	}
	paths, err := s.Ensure(t.Context(), []string{"tiny-server"}, nil)
	if err != nil || paths["tiny-server"] != filepath.Join(dir, "tiny-server") {
		t.Errorf("paths %v, error %v", paths, err)
	}
	if _, err := s.Ensure(t.Context(), nil, nil); failure.CodeOf(err) != failure.Environment || failure.HintOf(err) == "" {
		t.Errorf("a program that is not there: %v", err)
	}
	if builds(t, stub) != 0 {
		t.Error("something was built")
	}
}

func TestDefaultDir(t *testing.T) {
	for _, test := range []struct{ xdg, home, want string }{
		{"/x", "/h", "/x/svcbench/components"},
		{"", "/h", "/h/.cache/svcbench/components"},
	} {
		t.Setenv("XDG_CACHE_HOME", test.xdg)
		t.Setenv("HOME", test.home)
		if got, err := DefaultDir(); err != nil || got != test.want {
			t.Errorf("XDG_CACHE_HOME=%s HOME=%s: %q, %v; want %q", test.xdg, test.home, got, err, test.want)
		}
	}
	t.Setenv("HOME", "")
	if got, err := DefaultDir(); err != nil || !filepath.IsAbs(got) {
		t.Errorf("without HOME: %q, %v", got, err)
	}
}

// TestRealGo builds a program with the real go command, without a network.
func TestRealGo(t *testing.T) {
	source := t.TempDir()
	write(t, filepath.Join(source, "go.mod"), "module example.test/tiny\n\ngo 1.26.0\n", 0o644)
	write(t, filepath.Join(source, "data.h"), "int x;\n", 0o444) // as in the module cache
	write(t, filepath.Join(source, "main.go"), `package main

import "os"

var version = "unset"

func main() { _, _ = os.Stdout.WriteString("tiny " + version + "\n") }
`, 0o644)
	m := module{
		name: "tiny", path: "example.test/tiny", version: "v1.2.3",
		mod: []byte("module svcbench/components/tiny\n\ngo 1.26.0\n\nrequire example.test/tiny v1.2.3\n\n" +
			"replace example.test/tiny => " + source + "\n"),
		ldflags: []string{"-s", "-w", "-X main.version=v1.2.3"},
		use:     Local, programs: []program{{name: "tiny-server", pkg: "example.test/tiny"}},
		assets: []asset{{From: ".", To: "source", LeaveOut: []string{"*.go", "go.*"}}},
	}
	t.Setenv("GOFLAGS", "-mod=vendor") // the user's flags do not matter
	s := &Store{dir: filepath.Join(t.TempDir(), "store"), modules: []module{m}}
	program := ensure(t, s)["tiny-server"]
	filesIn(t, Beside(program, "source"), "data.h")
	all, err := s.Status(t.Context())
	if err != nil || len(all) != 1 || all[0].State != Ready || !strings.HasPrefix(all[0].GoVersion, "go1.") || all[0].Size == 0 {
		t.Errorf("status %+v, %v", all, err)
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
	only(t, s, "tiny-v1.2.3", "tiny-v1.2.3.lock")
}
