package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"svcbench/internal/failure"
)

// Writer fills a run directory. Its methods must not be called at the same
// time. What it has returned from without an error survives a crash.
type Writer struct {
	dir  string
	run  Run
	lock *os.File // keeps others from writing; nil after Close
}

// Create makes the run directory dir, which must not exist or be empty, and
// stores what is known before the first trial. The format version of run is
// set here. It is a usage error if dir has something in it or two scenarios
// have one name, and an environment error if dir cannot be written; nothing
// is left behind then. The caller must Close the Writer.
func Create(dir string, run Run, env Environment) (*Writer, error) {
	if err := checkScenarios(run.Scenarios); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("make run directory %s: %w", dir, err), "")
	}
	run.Format = FormatVersion
	run.Modes = list(run.Modes)
	run.Plan = list(run.Plan)
	run.Scenarios = list(run.Scenarios)
	w := &Writer{dir: dir, run: run}
	undo, err := claim(dir)
	if errors.Is(err, errTaken) {
		return nil, failure.New(failure.Usage, fmt.Errorf("make run directory: %s %w", dir, err),
			"name a new folder with --out DIR; runs are never overwritten")
	}
	if err == nil {
		err = errors.Join(w.hold(), w.begin(env))
	}
	if err != nil {
		_ = w.Close() // nothing is left that others could write to
		undo()
		return nil, writeError(fmt.Errorf("make run directory %s: %w", dir, err))
	}
	return w, nil
}

// checkScenarios makes sure that each scenario has a file of its own.
func checkScenarios(all []ScenarioInfo) error {
	seen := make(map[string]bool, len(all))
	for _, s := range all {
		if err := checkName("scenario", s.Name); err != nil {
			return err
		}
		if seen[s.Name] {
			return fmt.Errorf("scenario %q is there twice", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// claim makes dir and its folder of trials, which only one program can do.
// The function returned removes what was made and is never nil.
func claim(dir string) (undo func(), err error) {
	undo = func() {}
	_, err = os.Lstat(dir)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return undo, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return undo, err
	}
	if len(entries) > 0 {
		return undo, errTaken
	}
	err = os.Mkdir(filepath.Join(dir, trialFolder), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return undo, errTaken
	}
	undo = func() {
		for _, name := range []string{trialFolder, scenarioFolder, environmentFile, runFile} {
			_ = os.RemoveAll(filepath.Join(dir, name))
		}
		if isNew {
			_ = os.Remove(dir)
		}
	}
	return undo, err
}

// begin stores everything but trials. The run itself comes last: a folder
// that has it has the rest.
func (w *Writer) begin(env Environment) error {
	if err := os.Mkdir(filepath.Join(w.dir, scenarioFolder), 0o755); err != nil {
		return err
	}
	for _, s := range w.run.Scenarios {
		if err := replaceFile(filepath.Join(w.dir, scenarioFolder, s.Name+".yaml"), []byte(s.YAML)); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(w.dir, environmentFile), env); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(w.dir, runFile), w.run); err != nil {
		return err
	}
	return syncPath(filepath.Dir(w.dir))
}

// Dir returns the run directory.
func (w *Writer) Dir() string { return w.dir }

// Begin makes the temporary folder of the trial id with its LogFolder, and
// returns its path. It must end in Commit or Discard.
func (w *Writer) Begin(id string) (string, error) {
	if err := checkName("trial", id); err != nil {
		return "", err
	}
	temporary := temporaryDir(w.dir, id)
	err := os.Mkdir(temporary, 0o755)
	if err == nil {
		err = os.Mkdir(filepath.Join(temporary, LogFolder), 0o755)
	}
	if err != nil {
		return "", writeError(fmt.Errorf("make folder of trial %s: %w", id, err))
	}
	return temporary, nil
}

// Commit stores a trial that was begun: whole or, when it returns an error,
// not at all. After an error the temporary folder is still there, so that
// Commit can be tried again or the trial be discarded.
func (w *Writer) Commit(t *Trial) error {
	if err := checkName("trial", t.ID); err != nil {
		return err
	}
	if err := w.commit(t); err != nil {
		return writeError(fmt.Errorf("store trial %s: %w", t.ID, err))
	}
	return nil
}

func (w *Writer) commit(t *Trial) error {
	temporary, final := temporaryDir(w.dir, t.ID), TrialDir(w.dir, t.ID)
	if _, err := os.Lstat(final); err == nil {
		return fmt.Errorf("%s: %w", final, fs.ErrExist)
	}
	stored := *t
	stored.Phases = list(t.Phases)
	stored.Scalars = list(t.Scalars)
	lines, err := encodeLines(t.Changes)
	if err != nil {
		return fmt.Errorf("encode %s: %w", changesFile, err)
	}
	if err := writeFile(filepath.Join(temporary, changesFile), lines); err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		value any
	}{
		{histogramFile, list(t.Histograms)},
		{seriesFile, list(t.Series)},
		{trialFile, &stored},
	} {
		data, err := encode(file.value)
		if err != nil {
			return fmt.Errorf("encode %s: %w", file.name, err)
		}
		if err := writeFile(filepath.Join(temporary, file.name), data); err != nil {
			return err
		}
	}
	if err := syncTree(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	return syncPath(filepath.Dir(final))
}

// list makes sure that nothing is written as [] and not as null, which
// readers of the files would have to treat on its own.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Discard removes the temporary folder of the trial id with its logs. It is
// no error if there is none.
func (w *Writer) Discard(id string) error {
	if err := checkName("trial", id); err != nil {
		return err
	}
	if err := os.RemoveAll(temporaryDir(w.dir, id)); err != nil {
		return writeError(fmt.Errorf("discard trial %s: %w", id, err))
	}
	return nil
}

// Skip takes trials out of the plan, because a scenario has enough with so many
// blocks. It is stored by Finish.
func (w *Writer) Skip(scenario string, blocks int, ids []string) {
	w.run.Plan = slices.DeleteFunc(w.run.Plan, func(t PlannedTrial) bool { return slices.Contains(ids, t.ID) })
	for i := range w.run.Scenarios {
		if w.run.Scenarios[i].Name == scenario {
			w.run.Scenarios[i].Blocks = blocks
		}
	}
}

// Finish records when and, if it was before the end of the plan, why the run
// ended.
func (w *Writer) Finish(at time.Time, interrupted string) error {
	run := w.run
	run.Finished, run.Interrupted = at, interrupted
	if err := writeJSON(filepath.Join(w.dir, runFile), run); err != nil {
		return writeError(fmt.Errorf("finish run directory %s: %w", w.dir, err))
	}
	w.run = run
	return nil
}

// Finish records when, and if it was before the end of the plan why, the run
// in dir ended, for a run that several writers have filled.
func Finish(dir string, at time.Time, interrupted string) error {
	d := &Data{Dir: dir}
	if err := d.readRun(); err != nil {
		return err
	}
	return (&Writer{dir: dir, run: d.Run}).Finish(at, interrupted)
}

// Exists reports whether there is a run in dir, readable or not.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, runFile))
	return err == nil
}
