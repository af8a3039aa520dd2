package runners

import (
	"context"
	"slices"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// phase is a named part of a trial.
type phase struct {
	name string
	// measuring means that the processors belong to the measurement.
	measuring bool
	// when says whether the trial has this phase; nil means always.
	when func(*inFlight) bool
	run  func(context.Context, *inFlight) error
}

// The names of the phases.
const (
	phasePrepare     = "prepare"
	phaseClusterUp   = "cluster-up"
	phasePopulate    = "populate"
	phaseReach       = "reach-pods"
	phaseColdStart   = "coldstart"
	phaseRules       = "rules"
	phaseCorrect     = "correct"
	phaseAttach      = "attach-path"
	phaseConnect     = "connect"
	phaseCollectPath = "collect-path"
	phaseSaturate    = "saturate"
	phaseKeepAlive   = "http-keepalive"
	phaseNew         = "http-new"
	phaseChurn       = "churn"
	phaseIntact      = "intact"
	phaseProxyCost   = "proxy-cost"
	phaseRestart     = "restart"
	phaseClusterDown = "cluster-down"
)

// phases returns a trial from the first phase to the last but one: the cluster
// goes down after it whatever happens.
func phases() []phase {
	return []phase{
		{name: phasePrepare, when: unprepared, run: prepare},
		{name: phaseClusterUp, run: clusterUp},
		{name: phasePopulate, when: unpopulated, run: populate},
		{name: phaseReach, run: reachPods},
		{name: phaseColdStart, measuring: true, run: coldStart},
		{name: phaseRules, run: readRules},
		{name: phaseCorrect, run: verifyCorrect},
		{name: phaseAttach, when: measuresPath, run: attachPath},
		{name: phaseConnect, measuring: true, when: connects, run: connectTraffic},
		{name: phaseCollectPath, when: attached, run: collectPath},
		{name: phaseSaturate, measuring: true, when: saturates, run: saturate},
		{name: phaseKeepAlive, measuring: true, when: requests(scenarios.KeepAlive), run: httpTraffic(scenarios.KeepAlive)},
		{name: phaseNew, measuring: true, when: requests(scenarios.NewConnection), run: httpTraffic(scenarios.NewConnection)},
		{name: phaseChurn, measuring: true, when: churns, run: changePopulation},
		{name: phaseIntact, run: verifyIntact},
		{name: phaseProxyCost, when: measuresProxy, run: proxyCost},
		// It is another process afterwards, whose costs are not those of the trial.
		{name: phaseRestart, measuring: true, when: restarts, run: restart},
	}
}

// unprepared is true for the first trial with a population, if the provider
// can keep that.
func unprepared(f *inFlight) bool {
	_, can := f.provider.(clusters.Preparer)
	return can && f.kept.of(f.trial) == nil
}

// unpopulated is true when the cluster did not begin with its population.
func unpopulated(f *inFlight) bool { return f.kept.of(f.trial) == nil }

// The instruments of a trial.

func measuresPath(f *inFlight) bool { return f.trial.scenario.Measures(scenarios.Path) }

// connects is true for the path probe too: it times the connections made here.
func connects(f *inFlight) bool {
	s := f.trial.scenario
	return s.Measures(scenarios.Connect) || s.Measures(scenarios.Path)
}

func saturates(f *inFlight) bool { return f.trial.scenario.Measures(scenarios.Saturation) }

func attached(f *inFlight) bool { return f.probe != nil }

func requests(kind scenarios.ConnectionKind) func(*inFlight) bool {
	return func(f *inFlight) bool {
		s := f.trial.scenario
		return s.Measures(scenarios.HTTP) && slices.Contains(s.Traffic.HTTP.Connections, kind)
	}
}

func churns(f *inFlight) bool { return f.trial.scenario.Measures(scenarios.Programming) }

func restarts(f *inFlight) bool { return f.trial.scenario.Measures(scenarios.Restart) }

func measuresProxy(f *inFlight) bool { return f.trial.scenario.Measures(scenarios.ProxyCost) }
