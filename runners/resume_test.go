package runners

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// TestResume ends a run in the middle of its third block and goes on with it: the
// first two blocks stay as they are to the byte, the third is measured again, and the
// rest is added.
func TestResume(t *testing.T) {
	cold := func(blocks int) *Plan {
		return mustPlan(t, parse(t, "cold", fmt.Sprintf("population: {services: 5}\nmodes: [iptables, nftables]\nblocks: %d\nmeasure: [coldstart, proxy]\n", blocks)))
	}
	plan := cold(4)
	dir := filepath.Join(t.TempDir(), "run")
	p := &fakeProvider{t: t, prepare: func(c *fakeCluster) { c.inNamespace() }}
	env := results.Environment{Kernel: "6.1"}

	ctx, cancel := context.WithCancelCause(t.Context())
	stop := failure.New(failure.Interrupted, context.Canceled, "")
	_, err := Run(ctx, p, plan, Options{Dir: dir, Environment: env, Observer: &stopper{after: 6, stop: func() { cancel(stop) }}})
	if failure.CodeOf(err) != failure.Interrupted {
		t.Fatalf("the run ended with %v", err)
	}
	before, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(before.Trials) != 5 {
		t.Fatalf("%d trials before, want two blocks and a half", len(before.Trials))
	}
	kept := contents(t, dir, before.Trials[:4])
	lost := before.Trials[4].Started

	other := Options{Dir: dir, Environment: results.Environment{Kernel: "6.2"}, Resume: before}
	if _, err := Run(t.Context(), p, plan, other); failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), "kernel: 6.1, now 6.2") {
		t.Errorf("resuming elsewhere: %v", err)
	}
	out, err := Run(t.Context(), p, plan, Options{Dir: dir, Environment: env, Resume: before})
	if err != nil || out.Planned != 8 || out.Complete != 8 {
		t.Fatalf("outcome %+v, %v", out, err)
	}
	after, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Trials) != 8 || after.Run.Finished.IsZero() || after.Run.Interrupted != "" || !after.Run.Started.Equal(before.Run.Started) {
		t.Errorf("%d trials after, run %+v", len(after.Trials), after.Run)
	}
	if again := contents(t, dir, before.Trials[:4]); !slices.Equal(kept, again) {
		t.Error("whole blocks have changed")
	}
	if !after.Trials[4].Started.After(lost) {
		t.Error("a block that was not whole was kept")
	}
	if _, err := Run(t.Context(), p, plan, Options{Dir: dir, Environment: env, Resume: after}); failure.CodeOf(err) != failure.Usage {
		t.Errorf("resuming what is complete: %v", err)
	}
	if _, err := Run(t.Context(), p, cold(3), Options{Dir: dir, Environment: env, Resume: before}); failure.CodeOf(err) != failure.Usage {
		t.Errorf("resuming with another plan: %v", err)
	}
}

// stopper stops a run when a trial begins.
type stopper struct {
	silent
	after int // the trial, from 1
	stop  func()
}

func (s *stopper) TrialStarted(_ results.PlannedTrial, n, _ int) {
	if n == s.after {
		s.stop()
	}
}

// contents are the files of trials.
func contents(t *testing.T, dir string, trials []*results.Trial) []string {
	t.Helper()
	var all []string
	for _, trial := range trials {
		files, err := filepath.Glob(filepath.Join(results.TrialDir(dir, trial.ID), "*.json*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("files of %s: %v", trial.ID, err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, f, string(data))
		}
	}
	return all
}

// A run ends when somebody says that it has enough blocks, and its plan ends there too.
func TestEnough(t *testing.T) {
	plan := mustPlan(t, parse(t, "cold", "population: {services: 5}\nmodes: [iptables, nftables]\nblocks: 9\nmeasure: [coldstart, proxy]\n"))
	dir := filepath.Join(t.TempDir(), "run")
	p := &fakeProvider{t: t, prepare: func(c *fakeCluster) { c.inNamespace() }}
	var asked []int
	out, err := Run(t.Context(), p, plan, Options{Dir: dir, Enough: func(scenario string, blocks int) (bool, error) {
		data, err := results.Open(dir)
		if err != nil || len(data.Trials) != 2*blocks || scenario != "cold" {
			t.Errorf("asked after %d blocks of %s, with %d trials, %v", blocks, scenario, len(data.Trials), err)
		}
		asked = append(asked, blocks)
		return blocks == 3, nil
	}})
	if err != nil || out.Planned != 6 || out.Complete != 6 || !slices.Equal(asked, []int{1, 2, 3}) {
		t.Errorf("outcome %+v, %v, asked after %v", out, err, asked)
	}
	data, err := results.Open(dir)
	if err != nil || len(data.Trials) != 6 || len(data.Run.Plan) != 6 || data.Run.Scenarios[0].Blocks != 3 {
		t.Errorf("%d trials of a plan of %d, %v", len(data.Trials), len(data.Run.Plan), err)
	}
}
