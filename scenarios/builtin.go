package scenarios

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"svcbench/internal/failure"
)

// builtins are the scenario files of this directory, each named after its
// scenario.
//
//go:embed *.yaml
var builtins embed.FS

// Builtins returns the built-in scenarios, the cheapest first: by blocks
// times the Services and endpoints of all points, then by name. Those that need
// pods of their own come last.
func Builtins() ([]Scenario, error) {
	all := make([]Scenario, 0, len(builtinNames()))
	for _, name := range builtinNames() {
		s, err := loadBuiltin(name)
		if err != nil {
			return nil, err
		}
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Scenario) int {
		// Those that run in fewer places than others come last.
		return cmp.Or(cmp.Compare(a.PodNodes(), b.PodNodes()), cmp.Compare(a.work(), b.work()), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// work is a rough measure of how long a scenario takes: the Services and
// endpoints that are programmed in one mode.
func (s *Scenario) work() int {
	programmed := 0
	for _, p := range s.ResolvedPoints() {
		programmed += p.Services * (1 + p.Endpoints)
	}
	return s.Blocks * programmed
}

// Source returns the YAML of a built-in scenario with its comments, a
// starting point for one's own. An unknown name is a usage error.
func Source(name string) ([]byte, error) {
	if !slices.Contains(builtinNames(), name) {
		return nil, unknown(name)
	}
	data, err := builtins.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read built-in scenario %q: %w", name, err)
	}
	return data, nil
}

// Load returns a built-in scenario by its name or a scenario from a file. A
// path has a slash or ends in .yaml or .yml. Errors are usage errors: an
// unknown name, a file that cannot be read, or a Problems.
func Load(nameOrPath string) (*Scenario, error) {
	if !isPath(nameOrPath) {
		s, err := loadBuiltin(nameOrPath)
		if info, statErr := os.Stat(nameOrPath); err != nil && statErr == nil && info.Mode().IsRegular() {
			err = failure.New(failure.Usage, err, fmt.Sprintf("if you mean the file, write ./%s", nameOrPath))
		}
		return s, err
	}
	data, err := readFile(nameOrPath)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("read scenario: %w", err), readHint(err))
	}
	return Parse(nameOrPath, data)
}

func loadBuiltin(name string) (*Scenario, error) {
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	return Parse(name+".yaml", data)
}

func isPath(s string) bool {
	return strings.ContainsRune(s, '/') || strings.HasSuffix(s, ".yaml") || strings.HasSuffix(s, ".yml")
}

// readFile reads a file up to one byte more than Parse accepts, which is
// enough for Parse to refuse it.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

func readHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "`svcbench list` shows the built-in scenarios, which are named without .yaml"
	case errors.Is(err, syscall.EISDIR):
		return "name a file in that folder"
	case errors.Is(err, fs.ErrPermission):
		return "make the file readable"
	}
	return ""
}

// unknown is the error for a name that no built-in scenario has.
func unknown(name string) error {
	known := builtinNames()
	text := fmt.Sprintf("no built-in scenario is called %q (there are %s)", name, join(known, ", ", " and "))
	if near := nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return failure.New(failure.Usage, errors.New(text), "`svcbench list` describes them; a scenario of your own is a path such as ./mine.yaml")
}

// builtinNames returns the names of the built-in scenarios by the alphabet.
func builtinNames() []string {
	// Glob fails only for a malformed pattern.
	files, _ := fs.Glob(builtins, "*.yaml")
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return files
}
