package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svcbench/internal/failure"
)

// Only one program writes to a run; what a killed one left over is removed.
func TestResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, Run{ID: "run", Started: time.Now()}, Environment{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := w.Begin(id); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(&Trial{ID: id, Status: Complete}); err != nil {
			t.Fatal(err)
		}
	}
	left, err := w.Begin("c")
	if err != nil {
		t.Fatal(err)
	}
	opened := func(dir string) *Data {
		t.Helper()
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := opened(dir)
	if _, err := Resume(before, nil); failure.CodeOf(err) != failure.Usage || !strings.Contains(err.Error(), "another svcbench") {
		t.Errorf("resuming a run under way: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Resume(before, []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := os.Stat(left); err == nil {
		t.Error("a trial that was never finished is still there")
	}
	d, err := Open(dir)
	if err != nil || len(d.Trials) != 1 || d.Trials[0].ID != "a" {
		t.Errorf("trials %+v, %v", d.Trials, err)
	}
	if _, err := again.Begin("b"); err != nil {
		t.Error(err)
	}
	if err := again.Commit(&Trial{ID: "b", Status: Complete}); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	now := opened(dir)
	if _, err := Resume(now, []string{"../b"}); err == nil {
		t.Error("no error for a trial outside the run")
	}
	now.Trials = now.Trials[:1]
	if _, err := Resume(now, nil); failure.CodeOf(err) != failure.Usage || !strings.Contains(err.Error(), "meanwhile") {
		t.Errorf("resuming what has changed: %v", err)
	}
}
