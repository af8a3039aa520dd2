package main

import (
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/scenarios"
)

// emulatedServices is the largest number of Services that is measured with an
// instruction clock unless asked for: emulation slows down most what takes long
// already, to write a population and to load its rules.
const emulatedServices = 1000

// withinReach returns the scenarios without the points that would take too
// long with that clock, and says for each which those are. A scenario that has
// no others keeps them.
func withinReach(chosen []scenarios.Scenario, clock results.Clock) (within []scenarios.Scenario, left []string) {
	if clock != results.InstructionClock {
		return chosen, nil
	}
	for _, s := range chosen {
		var near, far scenarios.Points
		for _, p := range s.ResolvedPoints() {
			if p.Services > emulatedServices {
				far = append(far, p)
			} else {
				near = append(near, p)
			}
		}
		if len(near) > 0 && len(far) > 0 {
			s.Points = near
			left = append(left, fmt.Sprintf("%s leaves out %s Services: with the instruction clock they would take very long (--points asks for them)", s.Name, servicesIn(far)))
		}
		within = append(within, s)
	}
	return within, left
}

// servicesIn lists the numbers of Services of points.
func servicesIn(points scenarios.Points) string {
	var all []string
	for _, p := range points {
		if n := thousands(p.Services); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return strings.Join(all, ", ")
}
