package runners

import (
	"time"

	"svcbench/scenarios"
)

// What the parts of a trial that have no set duration take on two cores, in
// seconds. They make an estimate for a person, and decide nothing.
const (
	estimatedUp          = 3.0    // a control plane and its namespaces
	estimatedDown        = 1.0    // and their removal
	estimatedWriteRate   = 800.0  // API objects a second
	estimatedFirstSync   = 1.0    // of a proxy with nothing to do
	estimatedSyncRate    = 1000.0 // Services a second in a first sync
	estimatedAgent       = 0.5    // start an agent, and collect from it
	estimatedChangeRate  = 5000.0 // Services a second in a sync after a change
	estimatedLastChange  = 2.0    // minSyncPeriod, and certainty about the last
	estimatedVerifyAgain = 0.5
)

// Estimate is how long a trial of a scenario takes at a point: the durations
// that the scenario sets, plus
//
//	up + objects/writeRate + firstSync + Services/syncRate + agents
//	   + (churn: lastChange + Services/changeRate) + verifyAgain + down
func Estimate(s *scenarios.Scenario, point scenarios.Point) time.Duration {
	services := float64(point.Services)
	seconds := estimatedUp + 2*services/estimatedWriteRate +
		estimatedFirstSync + services/estimatedSyncRate +
		estimatedVerifyAgain + estimatedDown
	if c := s.Traffic.Connect; c != nil {
		seconds += c.Warmup.Std().Seconds() + c.Duration.Std().Seconds() + estimatedAgent
	}
	if h := s.Traffic.HTTP; h != nil {
		each := h.Warmup.Std().Seconds() + h.Duration.Std().Seconds() + estimatedAgent
		seconds += float64(len(h.Connections)) * each
	}
	if c := s.Churn; c != nil {
		seconds += c.Duration.Std().Seconds() + estimatedLastChange + services/estimatedChangeRate + estimatedAgent
	}
	return time.Duration(seconds * float64(time.Second))
}
