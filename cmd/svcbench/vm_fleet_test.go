package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"svcbench/clusters/vm"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// page is a display that keeps its lines.
type page struct {
	mu    sync.Mutex
	lines []string
}

func (p *page) Phase(f progress.Phase) { p.Line("* " + f.String()) }
func (*page) Detail(string)            {}
func (*page) Left(time.Duration)       {}
func (*page) Close()                   {}
func (p *page) Line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, text)
}

// guestTrials are what a guest that measures a part would tell and store.
func guestTrials(part *runners.Part) []results.PlannedTrial {
	var all []results.PlannedTrial
	for n, mode := range []string{"iptables", "nftables"} {
		all = append(all, results.PlannedTrial{
			ID: fmt.Sprintf("%s-%s", part.Name(), mode), Scenario: part.Scenario, Point: part.Point, Mode: mode, Block: part.Block, Order: n + 1, Estimate: 1,
		})
	}
	return all
}

// testParts are three parts of one point.
func testParts() (parts []*runners.Part, plan []results.PlannedTrial) {
	for block := range 3 {
		p := &runners.Part{Scenario: "s", Point: results.Point{Services: 5, Endpoints: 1}, Block: block + 1}
		parts = append(parts, p)
		plan = append(plan, guestTrials(p)...)
	}
	return parts, plan
}

// newTestFleet returns a fleet whose machines are a function.
func newTestFleet(t *testing.T, shown *page, dir string, boot func(context.Context, *runners.Part, vm.Job) (int, error)) *fleet {
	w := newWatcher(t.Context(), shown, 2)
	w.known = false
	var mu sync.Mutex
	of := map[string]*runners.Part{}
	return &fleet{
		boot: func(ctx context.Context, job vm.Job) (int, error) {
			mu.Lock()
			part := of[job.Name]
			mu.Unlock()
			return boot(ctx, part, job)
		},
		atATime: 2, display: shown, watcher: w,
		job: func(part *runners.Part) (vm.Job, error) {
			mu.Lock()
			defer mu.Unlock()
			of[part.Name()] = part
			return vm.Job{Name: part.Name()}, nil
		},
		outcome: func(part *runners.Part, code int, failed error) error {
			return takeEnd(filepath.Join(dir, endFile(part)), code, failed)
		},
		planned: w.expect,
	}
}

// TestFleet measures parts in machines at the same time, whose words arrive as
// if it were one.
func TestFleet(t *testing.T) {
	shown, dir := &page{}, t.TempDir()
	parts, plan := testParts()
	var mu sync.Mutex
	running, most := 0, 0
	fleet := newTestFleet(t, shown, dir, func(_ context.Context, part *runners.Part, job vm.Job) (int, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() {
			mu.Lock()
			running--
			mu.Unlock()
		}()
		time.Sleep(50 * time.Millisecond) // so that two can be seen at a time
		fmt.Fprint(job.Stderr, "! ipvs is left out")
		r := &relay{to: job.Stdout}
		r.planned(plan)
		for _, trial := range guestTrials(part) {
			r.TrialStarted(trial, 1, 2)
			r.Phase("connect", true)
			r.TrialEnded(&results.Trial{ID: trial.ID, Status: results.Complete}, 0)
		}
		return 0, os.WriteFile(filepath.Join(dir, endFile(part)), []byte("{}"), 0o644)
	})
	if err := fleet.run(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	if most != 2 {
		t.Errorf("%d machines ran at a time, want 2", most)
	}
	text := strings.Join(shown.lines, "\n")
	if n := strings.Count(text, "✓"); n != 6 || strings.Count(text, "ipvs is left out") != 1 || !strings.Contains(text, "[6/6] s 5×1") {
		t.Errorf("%d trials in:\n%s", n, text)
	}
}

// TestFleetStops begins no part after one that ended early.
func TestFleetStops(t *testing.T) {
	shown, dir := &page{}, t.TempDir()
	parts, _ := testParts()
	booted := 0
	fleet := newTestFleet(t, shown, dir, func(_ context.Context, part *runners.Part, _ vm.Job) (int, error) {
		booted++
		b, err := json.Marshal(end{Code: failure.Environment, Text: "the disk is full", Hint: "free some"})
		if err != nil {
			return 0, err
		}
		return 0, os.WriteFile(filepath.Join(dir, endFile(part)), b, 0o644)
	})
	fleet.atATime = 1
	err := fleet.run(t.Context(), parts)
	if failure.CodeOf(err) != failure.Environment || err.Error() != "the disk is full" || failure.HintOf(err) != "free some" || booted != 1 {
		t.Errorf("%d machines, %v", booted, err)
	}
}

// TestFleetGivesUp begins no part once trials fail one after the other, or once
// machines do not agree on what there is to measure.
func TestFleetGivesUp(t *testing.T) {
	for name, tell := range map[string]func(*relay, []results.PlannedTrial, *runners.Part){
		"trials in a row failed": func(r *relay, plan []results.PlannedTrial, part *runners.Part) {
			r.planned(plan)
			for _, trial := range guestTrials(part) {
				r.TrialStarted(trial, 1, 2)
				r.TrialEnded(&results.Trial{ID: trial.ID, Status: results.Failed}, 0)
			}
		},
		"plans other trials": func(r *relay, plan []results.PlannedTrial, part *runners.Part) { r.planned(plan[part.Block-1:]) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, booted := t.TempDir(), 0
			parts, plan := testParts()
			fleet := newTestFleet(t, &page{}, dir, func(_ context.Context, part *runners.Part, job vm.Job) (int, error) {
				booted++
				tell(&relay{to: job.Stdout}, plan, part)
				return 0, os.WriteFile(filepath.Join(dir, endFile(part)), []byte("{}"), 0o644)
			})
			fleet.atATime = 1
			if err := fleet.run(t.Context(), parts); err == nil || !strings.Contains(err.Error(), name) || booted != 2 {
				t.Errorf("%d machines, %v", booted, err)
			}
		})
	}
}

// TestEndRun sees how a run that machines have filled is finished.
func TestEndRun(t *testing.T) {
	crashed := failure.New(failure.Environment, errors.New("the VM crashed"), "")
	for _, c := range []struct {
		name    string
		stored  []results.Status
		stopped error
		want    failure.Code
		says    string
	}{
		{name: "well", stored: []results.Status{results.Complete, results.Complete}},
		{name: "failed", stored: []results.Status{results.Complete, results.Failed}, want: failure.Invalid, says: "1 of 2 trials failed, the first (b) because: b"},
		{name: "crash", stored: []results.Status{results.Complete}, stopped: crashed, want: failure.Environment, says: "stopped after 1 of 2 trials: the VM crashed"},
		{name: "lost", stored: []results.Status{results.Complete}, want: failure.Invalid, says: "ended after 1 of 2 trials"},
		{name: "nothing", stopped: crashed, want: failure.Environment, says: "after 0 of 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if c.stored != nil {
				storeTrials(t, dir, c.stored)
			}
			out, err := endRun(t.Context(), dir, 2, c.stopped)
			if failure.CodeOf(err) != c.want || c.says != "" && !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("error %v; want %q", err, c.says)
			}
			if out.Complete+out.Failed != len(c.stored) {
				t.Errorf("outcome %+v", out)
			}
			if c.stored == nil {
				return
			}
			if data, err := results.Open(dir); err != nil || data.Run.Finished.IsZero() || (data.Run.Interrupted != "") != (c.stopped != nil) {
				t.Errorf("run %+v, %v", data.Run, err)
			}
		})
	}
}

// storeTrials makes a run of two trials that nobody has finished.
func storeTrials(t *testing.T, dir string, stored []results.Status) {
	t.Helper()
	w, err := results.Create(dir, results.Run{ID: "run", Plan: []results.PlannedTrial{{ID: "a"}, {ID: "b"}}}, results.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	for i, status := range stored {
		id := []string{"a", "b"}[i]
		if _, err := w.Begin(id); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(&results.Trial{ID: id, Status: status, Error: id}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDivide gives each part a machine only where that changes no result.
func TestDivide(t *testing.T) {
	s, err := scenarios.Load("quick")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := runners.NewPlan([]scenarios.Scenario{*s}, anyMode())
	if err != nil {
		t.Fatal(err)
	}
	parts, atATime, err := divide(vm.Spec{Clock: vm.Wall}, plan)
	if err != nil || len(parts) != 1 || parts[0] != nil || atATime != 1 {
		t.Errorf("wall: %v, %d at a time, %v", parts, atATime, err)
	}
	parts, atATime, err = divide(vm.Spec{Clock: vm.Instructions, Machines: 3}, plan)
	if err != nil || len(parts) != 9 || atATime != 3 {
		t.Errorf("instructions: %v, %d at a time, %v", parts, atATime, err)
	}
	again := *parts[0]
	if seedOf(1, parts[0]) == seedOf(1, parts[3]) || seedOf(1, parts[0]) != seedOf(1, &again) {
		t.Error("the seed of a machine is not that of its part")
	}
}
