package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"svcbench/internal/results"
)

// mirror copies a run directory to the host between trials, when nothing is
// measured, so that a guest that crashes loses one trial at most.
type mirror struct {
	*relay
	from, to string
	as       string // whose copy it is: others may copy to the same folder
}

// TrialStarted copies what there is before a trial begins.
func (m *mirror) TrialStarted(t results.PlannedTrial, n, total int) {
	m.relay.TrialStarted(t, n, total)
	if err := m.copy(); err != nil {
		m.Warning(err.Error()) // the last copy fails as well, and then counts
	}
}

// copy copies finished trials that are not there yet, and the files about the
// run that are not there yet, each in one piece.
func (m *mirror) copy() error {
	if err := m.copyMissing("trials"); err != nil {
		return fmt.Errorf("copy trials to the host: %w", err)
	}
	if err := m.copyMissing("."); err != nil {
		return fmt.Errorf("copy run to the host: %w", err)
	}
	return nil
}

// copyMissing copies the folders and files in a folder below from that the one
// below to does not have. Those whose name begins with a dot are not finished.
func (m *mirror) copyMissing(below string) error {
	from, to := filepath.Join(m.from, below), filepath.Join(m.to, below)
	entries, err := os.ReadDir(from)
	if os.IsNotExist(err) {
		return nil // the run ended before it had a folder
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || exists(filepath.Join(to, e.Name())) {
			continue
		}
		if err := m.copyOne(from, to, e); err != nil {
			return err
		}
	}
	return nil
}

// copyOne copies a file or folder, which is there whole or not at all.
func (m *mirror) copyOne(from, to string, e fs.DirEntry) error {
	source, partial := filepath.Join(from, e.Name()), filepath.Join(to, "."+e.Name()+"-"+m.as+".tmp")
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if e.IsDir() {
		if err := os.CopyFS(partial, os.DirFS(source)); err != nil {
			return err
		}
	} else {
		b, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(partial, b, 0o644); err != nil {
			return err
		}
	}
	err := os.Rename(partial, filepath.Join(to, e.Name()))
	if errors.Is(err, fs.ErrExist) { // another machine was faster with a folder
		return os.RemoveAll(partial)
	}
	return err
}
