package main

import (
	"errors"
	"io"
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

// TestMirror sees that what is finished reaches the host once, and nothing
// else, whoever copies it.
func TestMirror(t *testing.T) {
	m := &mirror{relay: &relay{to: io.Discard}, from: t.TempDir(), to: t.TempDir(), as: "a"}
	other := &mirror{relay: &relay{to: io.Discard}, from: t.TempDir(), to: m.to, as: "b"}
	writeFiles(t, m.from, "run.json", "scenarios/quick.yaml", "trials/1/trial.json", "trials/.2.tmp/logs/etcd.log")
	writeFiles(t, other.from, "scenarios/quick.yaml", "trials/3/trial.json")
	for _, each := range []*mirror{m, other} {
		if err := each.copy(); err != nil {
			t.Fatal(err)
		}
	}
	writeFiles(t, m.from, "trials/2/logs/etcd.log")
	if err := os.WriteFile(filepath.Join(m.from, "run.json"), []byte("finished"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.copy(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run.json", "scenarios/quick.yaml", "trials/1/trial.json", "trials/2/logs/etcd.log", "trials/3/trial.json"} {
		if b, err := os.ReadFile(filepath.Join(m.to, name)); err != nil || string(b) != name {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	for _, folder := range []string{"", "trials", "scenarios"} {
		if unfinished, _ := filepath.Glob(filepath.Join(m.to, folder, ".*")); len(unfinished) > 0 {
			t.Errorf("the host has what is not finished: %v", unfinished)
		}
	}
}

func TestTakeEnd(t *testing.T) {
	crashed := failure.New(failure.Environment, errors.New("the VM crashed"), "")
	for _, c := range []struct {
		name, file string
		code       int
		failed     error
		want       failure.Code
	}{
		{name: "well", file: `{}`, want: failure.OK},
		{name: "stopped", file: `{"code":4,"text":"3 trials in a row failed","hint":"logs"}`, want: failure.Invalid},
		{name: "usage", file: `{"code":2,"text":"no such mode"}`, want: failure.Usage},
		{name: "panic", code: 2, want: failure.Environment},
		{name: "crash", failed: crashed, want: failure.Environment},
		{name: "silent", want: failure.Environment},
		{name: "damaged", file: `{`, want: failure.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "end.json")
			if c.file != "" {
				if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := takeEnd(file, c.code, c.failed); failure.CodeOf(err) != c.want || (err == nil) != (c.want == failure.OK) {
				t.Errorf("%v has code %d, want %d", err, failure.CodeOf(err), c.want)
			}
			if c.name != "damaged" && exists(file) {
				t.Error("the file is still there")
			}
		})
	}
}
