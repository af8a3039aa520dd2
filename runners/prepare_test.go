package runners

import (
	"path/filepath"
	"testing"

	"svcbench/internal/results"
)

// A provider that can keep populations writes each once, and is told when no
// trial needs it any more.
func TestPopulationsAreKept(t *testing.T) {
	p := &keepingProvider{fakeProvider: &fakeProvider{t: t, prepare: (*fakeCluster).converged}}
	first := parse(t, "first", "population: {services: 5}\npoints: [{services: 5}, {services: 7}]\nmodes: [iptables, nftables]\nblocks: 2\nmeasure: [coldstart, proxy]\n")
	second := parse(t, "second", "population: {services: 5}\nmodes: [iptables]\nblocks: 1\nmeasure: [coldstart, proxy]\n")
	closedAtSecond := -1
	o := &recorder{t: t, onPhase: func(name string) {
		if name == phasePrepare && p.prepared == 2 {
			closedAtSecond = p.closed
		}
	}}
	dir := filepath.Join(t.TempDir(), "run")
	out, err := Run(t.Context(), p, mustPlan(t, first, second), Options{Dir: dir, Observer: o})
	if err != nil {
		t.Fatal(err)
	}
	if out.Complete != 9 || p.started != 9 || p.prepared != 3 || p.closed != 3 {
		t.Errorf("%d trials, %d clusters, %d populations written and %d closed; want 9, 9, 3 and 3", out.Complete, p.started, p.prepared, p.closed)
	}
	if closedAtSecond != 2 {
		t.Errorf("%d populations of the first scenario closed when the second began, want 2", closedAtSecond)
	}
	data, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, trial := range data.Trials {
		for _, s := range trial.Scalars {
			if s.Metric == results.PopulateRate {
				written++
			}
		}
	}
	if written != 3 {
		t.Errorf("%d trials have written a population, want 3", written)
	}
}

// A part of a plan is measured by itself, with a population that was written
// elsewhere.
func TestPartWithExportedPopulation(t *testing.T) {
	p := &keepingProvider{fakeProvider: &fakeProvider{t: t, prepare: (*fakeCluster).converged}}
	plan := mustPlan(t, parse(t, "first", "population: {services: 5}\npoints: [{services: 5}, {services: 7}]\nmodes: [iptables, nftables]\nblocks: 2\nmeasure: [coldstart, proxy]\n"))
	parts := plan.Parts()
	names := map[string]bool{}
	for _, part := range parts {
		names[part.Name()] = true
	}
	if len(parts) != 4 || len(names) != 4 {
		t.Fatalf("parts %v, want 4", parts)
	}
	populations := t.TempDir()
	if err := Export(t.Context(), p, plan, populations, &recorder{t: t}); err != nil {
		t.Fatal(err)
	}
	if p.prepared != 2 || p.closed != 2 || len(p.exported) != 2 {
		t.Errorf("%d populations written, %d closed, %d exported; want 2 of each", p.prepared, p.closed, len(p.exported))
	}
	for _, part := range parts[1:3] {
		dir := filepath.Join(t.TempDir(), "run")
		out, err := Run(t.Context(), p, plan, Options{Dir: dir, Part: &part, Populations: populations})
		if err != nil || out.Planned != 2 || out.Complete != 2 {
			t.Errorf("outcome %+v, %v", out, err)
		}
		data, err := results.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(data.Run.Plan) != 8 || len(data.Trials) != 2 {
			t.Errorf("%d trials of %d, want 2 of 8", len(data.Trials), len(data.Run.Plan))
		}
		for _, trial := range data.Trials {
			if trial.Block != part.Block || trial.Point != part.Point {
				t.Errorf("trial %s is not in part %s", trial.ID, part.Name())
			}
		}
		if whole := OutcomeOf(data, nil); whole.Complete != 2 || whole.Planned != 8 {
			t.Errorf("outcome of the run %+v", whole)
		}
	}
	if p.prepared != 2 || p.closed != 4 {
		t.Errorf("%d populations written, %d closed; want 2 and 4", p.prepared, p.closed)
	}
}
