package runners

import (
	"math"
	"time"

	"svcbench/scenarios"
)

// What the parts of a trial that have no set duration take on two cores, in
// seconds, as measured with 100 to 30,000 Services. They make an estimate for a
// person, and decide nothing.
const (
	estimatedUp     = 2.4 // a control plane and its namespaces
	estimatedRest   = 0.6 // reach pods, verify again, remove the cluster
	estimatedAttach = 0.2 // the path programs

	estimatedSaturate = 18.0 // some rates, those that are too high twice

	// Services become slower to write the more there are: the API server
	// counts all cluster IPs each time it gives one away. That alone would
	// make it grow with the square; what no longer fits a processor's cache
	// makes it steeper.
	estimatedWriteRate = 700.0 // Services a second, while there are few
	estimatedWriteSlow = 4.0   // at crowd Services, beside that
	estimatedWriteGrow = 2.8   // the power with which that grows

	estimatedCorrect = 0.3 // unless Services without endpoints are silent
	estimatedSilence = 1.1 // beside that, where they are: in mode ebpf (tc)

	estimatedColdStart = 0.75   // of a proxy with nothing to do
	estimatedAgent     = 11.0   // of Cilium's, which compiles its programs, until it has settled
	estimatedSyncRate  = 2500.0 // Services a second in a first sync, while there are few
	estimatedSyncSlow  = 6.0    // at crowd Services, beside that; Cilium writes to hash tables
	estimatedSyncGrow  = 2.5    // the power with which that grows, in iptables mode

	estimatedReadRate = 4000.0 // Services a second, to read the rules back
	estimatedCollect  = 0.05   // from an agent
	estimatedRestarts = 15.0   // of an API server, and what is slow about a second start
	estimatedSettle   = 1.6    // minSyncPeriod, and certainty about the last change

	crowd = 5000.0
)

// EstimatePopulation is how long it takes to write the population of a point,
// which is done once for all of its trials (see clusters.Preparer).
func EstimatePopulation(point scenarios.Point) time.Duration {
	services := float64(point.Services)
	seconds := estimatedUp + services/estimatedWriteRate +
		estimatedWriteSlow*math.Pow(services/crowd, estimatedWriteGrow)
	return time.Duration(seconds * float64(time.Second))
}

// Estimate is how long a trial of a scenario takes in a mode at a point, its
// population being there: the durations that the scenario sets, and what was
// measured for the rest.
func Estimate(s *scenarios.Scenario, point scenarios.Point, mode scenarios.Mode) time.Duration {
	services := float64(point.Services)
	seconds := estimatedUp + estimatedRest + estimateStart(services, mode) +
		services/estimatedReadRate + estimatedCorrect
	if mode == scenarios.EBPF && s.EBPF.Datapath != scenarios.DatapathSocket && s.Population.Protocol != scenarios.UDP {
		seconds += estimatedSilence
	}
	if c := s.Traffic.Connect; c != nil {
		seconds += c.Warmup.Std().Seconds() + c.Duration.Std().Seconds() + estimatedCollect
	}
	if s.Measures(scenarios.Path) {
		seconds += estimatedAttach
	}
	if s.Measures(scenarios.Saturation) {
		seconds += estimatedSaturate
	}
	if h := s.Traffic.HTTP; h != nil {
		each := h.Warmup.Std().Seconds() + h.Duration.Std().Seconds() + estimatedCollect
		seconds += float64(len(h.Connections)) * each
	}
	if c := s.Churn; c != nil {
		seconds += c.Length().Seconds() + estimatedSettle + c.Grace.Std().Seconds()
		if c.Flows > 0 {
			seconds += flowPatience.Seconds()
		}
	}
	if s.Measures(scenarios.Restart) {
		seconds += estimateStart(services, mode) + estimatedRestarts
	}
	return time.Duration(seconds * float64(time.Second))
}

// estimateStart is how many seconds it takes from the start of a mode's proxy
// until it has programmed so many Services and has settled.
func estimateStart(services float64, mode scenarios.Mode) float64 {
	if mode == scenarios.EBPF {
		return estimatedAgent + services/estimatedSyncRate
	}
	return estimatedColdStart + services/estimatedSyncRate +
		estimatedSyncSlow*math.Pow(services/crowd, estimatedSyncGrow)
}
