package results

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"svcbench/internal/failure"
)

// Data is everything that a run directory holds, except logs.
type Data struct {
	// Dir is the run directory.
	Dir         string
	Run         Run
	Environment Environment
	// Trials are the stored trials by Trial.Order; those under way are not
	// among them.
	Trials []*Trial
}

// Open reads a run directory. The error names the file at fault: a usage
// error where dir is no run directory or was made by a newer svcbench, an
// environment error where it may not be read, else an invalid measurement.
func Open(dir string) (*Data, error) {
	d := &Data{Dir: dir}
	if err := d.readRun(); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(dir, environmentFile), &d.Environment); err != nil {
		return nil, damaged(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, trialFolder))
	if err != nil {
		return nil, damaged(fmt.Errorf("read trials: %w", err))
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		t, err := readTrial(TrialDir(dir, e.Name()))
		if err != nil {
			return nil, damaged(err)
		}
		d.Trials = append(d.Trials, t)
	}
	slices.SortFunc(d.Trials, func(a, b *Trial) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
	return d, nil
}

// readRun reads run.json, which decides whether the rest can be read.
func (d *Data) readRun() error {
	name := filepath.Join(d.Dir, runFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(d.Dir); statErr == nil {
			err = fmt.Errorf("%s is not a run directory: %w", d.Dir, err)
		}
	}
	if err != nil {
		return readError(fmt.Errorf("open run: %w", err))
	}
	// The layout of a newer run may differ in anything but its number.
	var version struct {
		Format int `json:"format"`
	}
	if err := Decode(name, data, &version); err != nil {
		return damaged(err)
	}
	switch {
	case version.Format > FormatVersion:
		return failure.New(failure.Usage,
			fmt.Errorf("%s has format %d, and this svcbench reads up to %d", name, version.Format, FormatVersion),
			"use the version of svcbench that made the run, or a newer one")
	case version.Format < 1:
		return damaged(fmt.Errorf("%s: format is missing", name))
	}
	return damaged(Decode(name, data, &d.Run))
}

func readTrial(dir string) (*Trial, error) {
	t := new(Trial)
	for _, file := range []struct {
		name string
		to   any
	}{
		{trialFile, t},
		{histogramFile, &t.Histograms},
		{seriesFile, &t.Series},
	} {
		if err := readJSON(filepath.Join(dir, file.name), file.to); err != nil {
			return nil, err
		}
	}
	if t.ID != filepath.Base(dir) {
		return nil, fmt.Errorf("%s: id is %q, unlike the folder", filepath.Join(dir, trialFile), t.ID)
	}
	changes, err := readLines[Change](filepath.Join(dir, changesFile))
	if err != nil {
		return nil, err
	}
	t.Changes = changes
	return t, nil
}

func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return Decode(name, data, v)
}

// readLines reads a file with one JSON value a line. A line without its end
// was cut off.
func readLines[T any](name string) ([]T, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return nil, fmt.Errorf("%s:%d: the last line is cut off", name, bytes.Count(data, []byte("\n"))+1)
	}
	var items []T
	line := 0
	for l := range bytes.Lines(data) {
		line++
		var item T
		if err := json.Unmarshal(l, &item); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		items = append(items, item)
	}
	return items, nil
}

// Decode reads all of data, which is JSON, into v. Errors have the line of the file
// name.
func Decode(name string, data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	offset := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s:%d: %w", name, bytes.Count(data[:offset], []byte("\n"))+1, err)
}

// damaged marks the error of a file that is part of every run directory.
func damaged(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return readError(err)
	}
	return failure.New(failure.Invalid, fmt.Errorf("run is damaged: %w", err),
		"restore the file, or move the trial's folder away to go on without it; `svcbench run` measures again")
}

// Latest returns the directory of the newest run in root, by the time at
// which it was started. Folders that are no runs are passed over.
func Latest(root string) (string, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", readError(fmt.Errorf("look for runs: %w", err))
	}
	var newest Data
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		d := Data{Dir: filepath.Join(root, e.Name())}
		if d.readRun() == nil && (newest.Dir == "" || !d.Run.Started.Before(newest.Run.Started)) {
			newest = d
		}
	}
	if newest.Dir == "" {
		return "", failure.New(failure.Usage, fmt.Errorf("there are no runs in %s", root), "make one with `svcbench run quick`, or name a run directory")
	}
	return newest.Dir, nil
}
