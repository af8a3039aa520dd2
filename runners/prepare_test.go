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
