package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/results"
	"svcbench/scenarios"
)

// An instruction clock leaves out large points, says so, and never all.
func TestWithinReach(t *testing.T) {
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	quick := all[slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == "quick" })]
	large := scenarios.Scenario{Name: "large", Points: scenarios.Points{{Services: 5000, Endpoints: 1}}}
	chosen := []scenarios.Scenario{quick, large}

	within, left := withinReach(chosen, results.InstructionClock)
	want := []string{"quick leaves out 5,000 Services: with the instruction clock they would take very long (--points asks for them)"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
	var services []int
	for _, s := range within {
		for _, p := range s.ResolvedPoints() {
			services = append(services, p.Services)
		}
	}
	if diff := cmp.Diff([]int{100, 1000, 5000}, services); diff != "" {
		t.Errorf("points that are left:\n%s", diff)
	}
	if within, left := withinReach(chosen, results.WallClock); len(left) != 0 || len(within[0].Points) != len(quick.Points) {
		t.Errorf("with a wall clock %v are left out", left)
	}
}
