package components

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"svcbench/internal/failure"
)

// build builds the programs of a module in a folder beside their place and
// moves the folder there when it is complete. The caller holds the lock, so
// whatever is in that folder at the start is left from a build that died.
func (s *Store) build(ctx context.Context, m module, gocmd *goCommand, p *progress) error {
	started := time.Now()
	place := filepath.Join(s.dir, m.folder())
	work := place + ".building"
	if err := prepare(work, m); err != nil {
		return writeFailure(err, work)
	}
	defer os.RemoveAll(work)

	goVersion, err := gocmd.version(ctx, work)
	if err != nil {
		return err
	}
	packages, err := gocmd.download(ctx, work, m, p)
	if err != nil {
		return err
	}
	if len(m.programs) > 0 {
		if err := gocmd.compile(ctx, work, m, packages, p); err != nil {
			return err
		}
	}
	built := expected(m, goVersion)
	if built.Assets, err = gocmd.assets(ctx, work, m); err != nil {
		return err
	}
	if built.Programs, err = collect(ctx, work, m); err != nil {
		return err
	}
	built.BuiltAt = time.Now().UTC().Truncate(time.Second)
	built.Seconds = time.Since(started).Round(time.Millisecond).Seconds()
	err = errors.Join(built.write(work), os.RemoveAll(filepath.Join(work, "tmp")), os.RemoveAll(place))
	if err == nil {
		err = os.Rename(work, place)
	}
	if err != nil {
		return writeFailure(err, place)
	}
	return nil
}

// prepare makes an empty folder with the module's go.mod and go.sum. A
// build needs nothing else: the packages come from other modules.
func prepare(work string, m module) error {
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(work, "tmp"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "go.mod"), m.mod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, "go.sum"), m.sum, 0o644)
}

// download fetches what is not in Go's module cache and returns the packages
// that are not in its build cache. Of a module without programs it fetches that
// module alone.
func (g *goCommand) download(ctx context.Context, work string, m module, p *progress) (map[string]bool, error) {
	p.set(Event{Phase: Download})
	stop := p.pulse(nil)
	defer stop()
	fetched := 0
	stderr := &output{progress: func(line string) bool {
		module, found := strings.CutPrefix(line, "go: downloading ")
		if found {
			fetched++
			p.set(Event{Phase: Download, Done: fetched, Detail: module})
		}
		return found
	}}
	if len(m.programs) == 0 {
		if err := g.run(ctx, work, nil, stderr, "mod", "download", m.path); err != nil {
			return nil, goFailure(ctx, "download its source", work, err, stderr)
		}
		return nil, nil
	}
	// Programs themselves are linked, which is counted apart.
	args := append([]string{"list", "-deps", "-f", `{{if and .Stale (ne .Name "main")}}{{.ImportPath}}{{end}}`}, buildFlags(m)...)
	var stdout bytes.Buffer
	if err := g.run(ctx, work, &stdout, stderr, append(args, m.packages()...)...); err != nil {
		return nil, goFailure(ctx, "download its source", work, err, stderr)
	}
	stale := make(map[string]bool)
	for pkg := range strings.FieldsSeq(stdout.String()) {
		stale[pkg] = true
	}
	return stale, nil
}

// compile compiles and links all programs of a module in one go, so that
// packages they have in common are compiled once. packages are those to be
// compiled; compile empties it.
func (g *goCommand) compile(ctx context.Context, work string, m module, packages map[string]bool, p *progress) error {
	total := len(packages)
	next := func(detail string) Event {
		if done := total - len(packages); done < total {
			return Event{Phase: Compile, Done: done, Total: total, Detail: detail}
		}
		return Event{Phase: Link, Done: linked(work, m), Total: len(m.programs)}
	}
	p.set(next(""))
	stop := p.pulse(func(e *Event) {
		if e.Phase == Link {
			e.Done = linked(work, m)
		}
	})
	defer stop()
	stderr := &output{progress: func(line string) bool {
		known := packages[line]
		delete(packages, line)
		if known {
			p.set(next(line))
		}
		return known
	}}
	args := append([]string{"build", "-v", "-o", work + string(filepath.Separator)}, buildFlags(m)...)
	if err := g.run(ctx, work, nil, stderr, append(args, m.packages()...)...); err != nil {
		return goFailure(ctx, "compile", work, err, stderr)
	}
	return nil
}

// assets copies the assets of a module from Go's module cache, where the
// download has put them.
func (g *goCommand) assets(ctx context.Context, work string, m module) ([]copied, error) {
	if len(m.assets) == 0 {
		return nil, nil
	}
	var stdout bytes.Buffer
	stderr := &output{}
	if err := g.run(ctx, work, &stdout, stderr, "list", "-m", "-f", "{{.Dir}}", m.path); err != nil {
		return nil, goFailure(ctx, "find its source", work, err, stderr)
	}
	all, err := copyAssets(ctx, strings.TrimSpace(stdout.String()), work, m)
	if err != nil && ctx.Err() == nil {
		err = writeFailure(err, work)
	}
	return all, err
}

// linked counts the programs that go build has finished.
func linked(work string, m module) int {
	n := 0
	for _, p := range m.programs {
		if info, err := os.Stat(filepath.Join(work, p.output())); err == nil && info.Mode().IsRegular() {
			n++
		}
	}
	return n
}

// collect gives the programs in work their names, checks that each runs and
// says that it has the pinned version, and returns their sizes in bytes.
func collect(ctx context.Context, work string, m module) (map[string]int64, error) {
	sizes := make(map[string]int64, len(m.programs))
	for _, p := range m.programs {
		path := filepath.Join(work, p.name)
		if err := os.Rename(filepath.Join(work, p.output()), path); err != nil {
			return nil, fmt.Errorf("go build made no %s: %w", p.output(), err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		sizes[p.name] = info.Size()
		version, err := versionOf(ctx, path, p.ask...)
		if err != nil {
			return nil, failure.New(failure.Environment, fmt.Errorf("the %s just built does not work: %w", p.name, err),
				"the folder of components must allow execution (not mounted noexec); choose another with XDG_CACHE_HOME")
		}
		if version != m.version {
			return nil, fmt.Errorf("the %s just built says it is %q, not %s", p.name, version, m.version)
		}
	}
	return sizes, nil
}
