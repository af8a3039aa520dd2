package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/clusters/vm"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// An instruction clock leaves out large points, and shortens the load, says
// so, and changes nothing of the scenario itself.
func TestReach(t *testing.T) {
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	quick := all[slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == "quick" })]
	large := scenarios.Scenario{Name: "large", Points: scenarios.Points{{Services: 5000, Endpoints: 1}}}
	chosen := []scenarios.Scenario{quick, large}
	long := quick.Traffic.Connect.Duration

	within, left := reach{clock: results.InstructionClock}.of(chosen)
	want := []string{
		"quick leaves out 5,000 Services: with the instruction clock they would take very long (--points asks for them)",
		"quick connects for 1s, requests for 500ms, changes for 2.5s: with the instruction clock little is left to chance (windows=full has all of it)",
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{100, 1000, 5000}, servicesOfAll(within)); diff != "" {
		t.Errorf("points that are left:\n%s", diff)
	}
	if quick.Traffic.Connect.Duration != long {
		t.Error("the scenario itself is shorter")
	}
	for name, r := range map[string]reach{
		"a wall clock":  {clock: results.WallClock},
		"what is named": {clock: results.InstructionClock, points: true, windows: vm.FullWindows},
	} {
		within, left := r.of(chosen)
		if diff := cmp.Diff([]int{100, 1000, 5000, 5000}, servicesOfAll(within)); diff != "" || len(left) > 0 || within[0].Traffic.Connect.Duration != long {
			t.Errorf("with %s: %v, %s", name, left, diff)
		}
	}
}

func servicesOfAll(all []scenarios.Scenario) (services []int) {
	for _, s := range all {
		for _, p := range s.ResolvedPoints() {
			services = append(services, p.Services)
		}
	}
	return services
}
