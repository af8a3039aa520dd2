package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"svcbench/clusters/vm"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// emulatedServices is the largest number of Services that is measured with an
// instruction clock unless asked for: emulation slows down most what takes long
// already, to write a population and to load its rules.
const emulatedServices = 1000

// With the instruction clock little is left to chance, so that a part of the
// connections and changes is enough, and each takes the host a hundred times as
// long as it takes the guest.
const (
	trafficShare  = 3 // a third
	churnShare    = 2 // half
	shortestShare = scenarios.Duration(500 * time.Millisecond)
)

// reach says how much of a scenario is measured in a machine.
type reach struct {
	clock results.Clock
	// points says that the user has named the points.
	points  bool
	windows vm.Windows
}

// of returns what is measured of the scenarios, and says for each what is not.
func (r reach) of(chosen []scenarios.Scenario) (within []scenarios.Scenario, left []string) {
	if r.clock != results.InstructionClock {
		return chosen, nil
	}
	for _, s := range chosen {
		if !r.points {
			left = append(left, leaveOut(&s)...)
		}
		if r.windows != vm.FullWindows {
			left = append(left, shorten(&s)...)
		}
		within = append(within, s)
	}
	return within, left
}

// leaveOut takes the points from a scenario that would take too long, and says
// which those are. A scenario that has no others keeps them.
func leaveOut(s *scenarios.Scenario) (said []string) {
	var near, far scenarios.Points
	for _, p := range s.ResolvedPoints() {
		if p.Services > emulatedServices {
			far = append(far, p)
		} else {
			near = append(near, p)
		}
	}
	if len(near) == 0 || len(far) == 0 {
		return nil
	}
	s.Points = near
	return []string{fmt.Sprintf("%s leaves out %s Services: with the instruction clock they would take very long (--points asks for them)", s.Name, servicesIn(far))}
}

// shorten makes the load of a scenario shorter, and says so.
func shorten(s *scenarios.Scenario) (said []string) {
	var what []string
	shorter := func(d *scenarios.Duration, share int, doing string) {
		part := shareOf(*d, share)
		if part < *d {
			*d = part
			what = append(what, fmt.Sprintf("%s for %v", doing, part))
		}
	}
	if c := s.Traffic.Connect; c != nil {
		its := *c
		s.Traffic.Connect = &its
		shorter(&its.Duration, trafficShare, "connects")
	}
	if h := s.Traffic.HTTP; h != nil {
		its := *h
		s.Traffic.HTTP = &its
		shorter(&its.Duration, trafficShare, "requests")
	}
	if c := s.Churn; c != nil {
		its := *c
		s.Churn = &its
		shorter(&its.Duration, churnShare, "changes")
		if f := its.Freeze; f != nil {
			its.Freeze = &scenarios.Freeze{After: shareOf(f.After, churnShare), Duration: shareOf(f.Duration, churnShare)}
		}
	}
	if len(what) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s %s: with the instruction clock little is left to chance (windows=full has all of it)", s.Name, strings.Join(what, ", "))}
}

// shareOf is a share of a duration, in tenths of a second, unless that is very
// short.
func shareOf(d scenarios.Duration, share int) scenarios.Duration {
	const tenth = 100 * time.Millisecond
	part := (d.Std() / time.Duration(share)).Round(tenth)
	return max(scenarios.Duration(part), min(d, shortestShare))
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
