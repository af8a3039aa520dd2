package runners

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/path"
	"svcbench/internal/results"
	"svcbench/internal/strain"
	"svcbench/runners/churn"
	"svcbench/runners/population"
	"svcbench/runners/position"
)

const (
	// closeTimeout is how long a cluster may take to go.
	closeTimeout = 2 * time.Minute
	// lastWords is how long a phase that failed waits for the cluster to say
	// that one of its parts has ended: that would be why.
	lastWords = time.Second
)

// inFlight is a trial under way: what its phases share.
type inFlight struct {
	trial    Trial
	provider clusters.Provider
	observer Observer
	logDir   string
	record   *results.Trial
	// probeInterval and populations are those of the Options.
	probeInterval time.Duration
	populations   string

	// kept is what the run keeps for this trial and others.
	kept kept

	// From cluster-up on.
	cluster clusters.Cluster
	// From prepare or cluster-up on; changed are Services that a churn has
	// changed since.
	population *population.Population
	changed    map[int]churn.Service
	// coldStart is how long that took, from coldstart on.
	coldStart time.Duration
	// What the proxy had used by certain moments, from coldstart on.
	cost costs
	// From rules on.
	classes *position.Classes
	// strains are what else the machine did in the phases that measured, in their order,
	// with short ones together; unobserved that this is not known of all.
	strains    []strain.Strain
	unobserved bool
	// From connect on: drift is that of the connections, see driftOf, and offered what
	// became of the load.
	drift   float64
	offered offered
	// frozen is when the proxy was frozen, from churn on, if it was.
	frozen *results.Phase
	// From attach-path to collect-path.
	probe *path.Probe
	// warmups is how many connections the connector made before it counted.
	warmups int
}

// runTrial measures one trial and returns all there is to store of it. Its
// Status and Error say how it ended; the error is the same with its class.
func (r *run) runTrial(ctx context.Context, t Trial, logDir string) (*results.Trial, error) {
	f := &inFlight{
		trial: t, provider: r.provider, kept: r.kept, observer: r.options.Observer, logDir: logDir,
		probeInterval: r.options.ProbeInterval, populations: r.options.Populations,
		changed: map[int]churn.Service{},
		record: &results.Trial{
			ID: t.ID, Scenario: t.Scenario, Point: t.PlannedTrial.Point, Mode: t.Mode, Variant: t.Variant, Provider: r.provider.Name(),
			Block: t.Block, Order: t.Order, Started: time.Now(), Status: results.Complete,
		},
	}
	err := f.run(ctx)
	f.record.Finished = time.Now()
	if err != nil {
		f.record.Status, f.record.Error = results.Failed, err.Error()
	}
	return f.record, err
}

// run goes through the phases. The cluster is gone when it returns, even if
// that is because of a panic.
func (f *inFlight) run(ctx context.Context) error {
	defer f.clusterDown(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, p := range phases() {
		if p.when != nil && !p.when(f) {
			continue
		}
		watching := f.cluster != nil
		if err := f.enter(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, f.explain(ctx, err))
		}
		if !watching && f.cluster != nil {
			go f.watch(ctx, cancel)
		}
	}
	f.judgeTrust()
	return nil
}

// enter runs one phase and records when it was.
func (f *inFlight) enter(ctx context.Context, p phase) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.observer.Phase(p.name, p.measuring)
	if p.measuring {
		runtime.GC() // now, and not in the middle: rules read back are much garbage
	}
	start := agent.Now()
	err := f.runPhase(ctx, p)
	f.record.Phases = append(f.record.Phases, results.Phase{Name: p.name, Start: start, End: agent.Now()})
	return err
}

// runPhase runs a phase, and looks at the machine around one that measures.
func (f *inFlight) runPhase(ctx context.Context, p phase) error {
	if !p.measuring {
		return p.run(ctx, f)
	}
	return f.observed(func() error { return p.run(ctx, f) })
}

// watch ends ctx when a part of the cluster has ended by itself.
func (f *inFlight) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-f.cluster.Died():
		cancel(f.cluster.Err())
	case <-ctx.Done():
	}
}

// explain returns the reason behind err: that the user or a part of the
// cluster that ended is why, or err itself.
func (f *inFlight) explain(ctx context.Context, err error) error {
	if f.cluster != nil && ctx.Err() == nil {
		select {
		case <-f.cluster.Died():
			return f.cluster.Err()
		case <-ctx.Done():
		case <-time.After(lastWords):
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// random returns a source of random numbers for one purpose: other numbers in
// each block, but the same ones in every mode of a block.
func (f *inFlight) random(purpose string) *rand.Rand {
	p := f.trial.PlannedTrial
	return source(f.trial.scenario.Seed, purpose, p.Scenario, fmt.Sprint(p.Point.Services), fmt.Sprint(p.Point.Endpoints), fmt.Sprint(p.Block))
}

// service returns Service i as it is now.
func (f *inFlight) service(i int) churn.Service {
	if s, ok := f.changed[i]; ok {
		return s
	}
	return churn.First(f.population, i)
}

// protocol is spoken to Services and pods.
func (f *inFlight) protocol() agent.Protocol {
	return agent.Protocol(f.trial.scenario.Population.Protocol)
}

// scalar records a metric with one value.
func (f *inFlight) scalar(metric, unit string, value float64) {
	f.record.Scalars = append(f.record.Scalars, results.Scalar{Metric: metric, Unit: unit, Value: value})
}

// missing records that a metric could not be measured.
func (f *inFlight) missing(metric, because string) {
	f.record.Missing = append(f.record.Missing, results.Missing{Metric: metric, Because: because})
}

// warn records a doubt about a metric.
func (f *inFlight) warn(metric, format string, args ...any) {
	w := results.Warning{Metric: metric, Message: fmt.Sprintf(format, args...)}
	f.record.Warnings = append(f.record.Warnings, w)
	f.observer.Warning(w.Message)
}

// note records a fact that a reader needs beside the numbers.
func (f *inFlight) note(format string, args ...any) {
	f.record.Notes = append(f.record.Notes, fmt.Sprintf(format, args...))
}
