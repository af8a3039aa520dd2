package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"svcbench/internal/failure"
)

// Store is a folder with built components, one sub-folder a module and
// version. Any number of processes may use the same folder at once.
type Store struct {
	dir     string
	given   string   // folder of the user's own programs; empty: build them
	goPath  string   // the go command; empty: look for it
	modules []module // what can be built
}

// NewStore returns the store in a folder, which need not exist yet.
func NewStore(dir string) *Store {
	// Only the working directory can be unknown, and then nothing else
	// works either.
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &Store{dir: dir, modules: pinned()}
}

// DefaultDir is the store's folder in the user's cache folder:
// $XDG_CACHE_HOME or ~/.cache. It works without $HOME too, as under init
// systems and in containers.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		home, homeErr := homeDir()
		if homeErr != nil {
			return "", failure.New(failure.Environment, fmt.Errorf("find the cache folder of components: %w", errors.Join(err, homeErr)),
				"set XDG_CACHE_HOME to a folder with 8 GB of room")
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "svcbench", "components"), nil
}

func homeDir() (string, error) {
	if home := os.Getenv("HOME"); home != "" {
		return home, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return u.HomeDir, nil
}

// UseDir makes the store use the programs in a folder of the user instead of
// building any. To be called before all other methods.
func (s *Store) UseDir(dir string) { s.given = dir }

// Phase is a step of getting components ready.
type Phase string

// The phases, in their order.
const (
	// Waiting means that another process is building the same module.
	Waiting Phase = "wait"
	// Download fetches the source of modules.
	Download Phase = "download"
	// Compile compiles packages.
	Compile Phase = "compile"
	// Link links programs.
	Link Phase = "link"
	// Done means that the module's programs are ready. It is the last event
	// of a module and the only one of a module that need not be built.
	Done Phase = "done"
)

// Event is a step forward in getting a module ready.
type Event struct {
	// Module and Version say what is being built, such as "kubernetes".
	Module, Version string
	Phase           Phase
	// Done counts modules in phase Download, packages in Compile, programs
	// in Link and Done. Total is how many there will be; 0 is not known.
	Done, Total int
	// Elapsed is the time since work on this module began.
	Elapsed time.Duration
	// Detail is what is being worked on; may be empty.
	Detail string
}

// Ensure returns the paths of the named programs, of all that local clusters
// need when none is named, and builds those that are missing or were built differently from
// how this svcbench builds them. It calls report, which may be nil, about
// once a second and at every step, from one goroutine at a time. When ctx ends,
// so does the build; nothing that is half built is ever used. Folders that a
// program needs lie beside it: see Beside. The path of a component that is files
// is that of its first folder.
func (s *Store) Ensure(ctx context.Context, names []string, report func(Event)) (map[string]string, error) {
	modules, names, err := s.wanted(names)
	if err != nil {
		return nil, err
	}
	if report == nil {
		report = func(Event) {}
	}
	paths := make(map[string]string, len(names))
	if s.given != "" {
		for _, name := range names {
			if paths[name], err = s.givenProgram(ctx, name); err != nil {
				return nil, err
			}
		}
		return paths, nil
	}
	for _, m := range modules {
		p := newProgress(m, report)
		if err := s.ensureModule(ctx, m, p); err != nil {
			return nil, fmt.Errorf("build %s: %w", m, err)
		}
		p.set(Event{Phase: Done, Done: len(m.programs), Total: len(m.programs)})
		for _, c := range m.components() {
			if slices.Contains(names, c.Name) {
				paths[c.Name] = filepath.Join(s.dir, m.folder(), m.place(c))
			}
		}
	}
	return paths, nil
}

// wanted returns the modules that have the named programs.
func (s *Store) wanted(names []string) ([]module, []string, error) {
	var modules []module
	var known []string
	all := len(names) == 0
	for _, m := range s.modules {
		wanted := all && m.use == Local
		for _, c := range m.components() {
			known = append(known, c.Name)
			wanted = wanted || slices.Contains(names, c.Name)
		}
		if wanted {
			modules = append(modules, m)
		}
		for _, c := range m.components() {
			if all && wanted {
				names = append(names, c.Name)
			}
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, nil, failure.New(failure.Usage, fmt.Errorf("unknown component %q", name),
				"components are "+strings.Join(known, ", "))
		}
	}
	return modules, names, nil
}

// ensureModule builds a module unless it is built. The lock is taken only
// to build, so that a store that cannot be written to can still be used.
func (s *Store) ensureModule(ctx context.Context, m module, p *progress) error {
	gocmd, noGo := s.goCommand()
	built, err := s.check(ctx, m, gocmd)
	if err != nil || built.because == "" {
		return err
	}
	if noGo != nil {
		return noGo
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return writeFailure(err, s.dir)
	}
	unlock, err := lock(ctx, filepath.Join(s.dir, m.folder()+".lock"), func(holder string) {
		p.set(Event{Phase: Waiting, Detail: holder})
	})
	if err != nil {
		return err
	}
	defer unlock()
	// Whoever held the lock may have built it.
	built, err = s.check(ctx, m, gocmd)
	if err != nil || built.because == "" {
		return err
	}
	return s.build(ctx, m, gocmd, p)
}
