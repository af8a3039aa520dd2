package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"svcbench/internal/failure"
)

// writeFiles writes files below dir, each with its own name in it.
func writeFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMirror sees that what is finished reaches the host, and nothing else.
func TestMirror(t *testing.T) {
	m := &mirror{from: t.TempDir(), to: t.TempDir()}
	writeFiles(t, m.from, "run.json", "scenarios/quick.yaml", "trials/1/trial.json", "trials/.2.tmp/logs/etcd.log")
	if err := m.copy(); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, m.from, "trials/2/logs/etcd.log")
	if err := os.WriteFile(filepath.Join(m.from, "run.json"), []byte("finished"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.copy(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"run.json": "finished", "scenarios/quick.yaml": "scenarios/quick.yaml", "trials/1/trial.json": "trials/1/trial.json", "trials/2/logs/etcd.log": "trials/2/logs/etcd.log",
	} {
		if b, err := os.ReadFile(filepath.Join(m.to, name)); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if unfinished, _ := filepath.Glob(filepath.Join(m.to, "trials", ".*")); len(unfinished) > 0 {
		t.Errorf("the host has unfinished trials: %v", unfinished)
	}
	if n := storedTrials(m.to); n != 2 {
		t.Errorf("%d trials are stored, want 2", n)
	}
}

func TestTakeOutcome(t *testing.T) {
	crashed := failure.New(failure.Environment, errors.New("the VM crashed"), "")
	for _, c := range []struct {
		name, file string
		code       int
		failed     error
		want       failure.Code
		complete   int
	}{
		{name: "well", file: `{"run":{"Planned":2,"Complete":2},"code":0}`, want: failure.OK, complete: 2},
		{name: "trials failed", file: `{"run":{"Planned":2,"Complete":1,"Failed":1},"code":4,"text":"1 of 2 trials failed","hint":"logs"}`, want: failure.Invalid, complete: 1},
		{name: "usage", code: 2, want: failure.Usage},
		{name: "crash", failed: crashed, want: failure.Environment, complete: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, outcomeFile)
			if c.file == "" {
				writeFiles(t, dir, "trials/1/trial.json")
			} else if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := takeOutcome(dir, c.code, c.failed)
			if failure.CodeOf(err) != c.want {
				t.Errorf("%v has code %d, want %d", err, failure.CodeOf(err), c.want)
			}
			if c.name != "usage" && out.Complete != c.complete {
				t.Errorf("%d trials are complete, want %d", out.Complete, c.complete)
			}
			if exists(file) {
				t.Error("the file is still there")
			}
		})
	}
}
