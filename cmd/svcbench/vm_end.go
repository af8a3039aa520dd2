package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/runners"
)

// end is why the svcbench in a virtual machine ended before its last trial, or
// what went wrong after it; empty if nothing did.
type end struct {
	Code failure.Code `json:"code,omitempty"`
	Text string       `json:"text,omitempty"`
	Hint string       `json:"hint,omitempty"`
}

// endFile is where in the run directory it leaves that, until the svcbench out
// here has read it.
func endFile(part *runners.Part) string { return ".vm-end-" + nameOf(part) + ".json" }

// nameOf names a part; nil is all of a run.
func nameOf(part *runners.Part) string {
	if part == nil {
		return "all"
	}
	return part.Name()
}

// takeEnd returns why a part ended before its last trial, after its machine
// did with code and failed. Whoever leaves no file has crashed, whatever the
// code.
func takeEnd(file string, code int, failed error) error {
	b, err := os.ReadFile(file)
	switch {
	case failed != nil && err != nil:
		return failed
	case errors.Is(err, fs.ErrNotExist):
		return failure.New(failure.Environment, fmt.Errorf("svcbench in the VM ended with code %d and left no word", code), "what it printed last is above")
	case err != nil:
		return fmt.Errorf("read how the run in the VM ended: %w", err)
	}
	var e end
	if err := errors.Join(json.Unmarshal(b, &e), os.Remove(file)); err != nil {
		return errors.Join(failed, fmt.Errorf("read how the run in the VM ended: %w", err))
	}
	if e.Text != "" {
		return errors.Join(failed, failure.New(e.Code, errors.New(e.Text), e.Hint))
	}
	return failed
}

// endRun finishes a run directory that machines have filled, and returns how
// far they came: the one out here knows all of it. expected is how many trials
// there were to be, if no machine has said it.
func endRun(ctx context.Context, dir string, expected int, stopped error) (runners.Outcome, error) {
	if ctx.Err() != nil && failure.CodeOf(stopped) != failure.Environment {
		stopped = failure.New(failure.Interrupted, context.Cause(ctx), "")
	}
	out := runners.Outcome{Dir: dir, Planned: expected, Stopped: stopped}
	if !results.Exists(dir) { // it did not come to a run
		if failure.CodeOf(stopped) == failure.Usage {
			return out, stopped
		}
		return out, out.Err()
	}
	reason := ""
	if stopped != nil {
		reason = stopped.Error()
	}
	data, err := results.Open(dir)
	err = errors.Join(err, removePartial(dir), results.Finish(dir, time.Now(), reason))
	if data == nil {
		return out, errors.Join(stopped, err)
	}
	out = runners.OutcomeOf(data, stopped)
	return out, errors.Join(out.Err(), err)
}

// removePartial removes what machines were copying when they crashed.
func removePartial(dir string) error {
	var errs []error
	for _, pattern := range []string{".*.tmp", filepath.Join("trials", ".*.tmp")} {
		left, err := filepath.Glob(filepath.Join(dir, pattern))
		errs = append(errs, err)
		for _, path := range left {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}
