package runners

import (
	"context"
	"fmt"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/results"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// clusterUp starts the cluster of the trial.
func clusterUp(ctx context.Context, f *inFlight) error {
	t := f.trial
	start := time.Now()
	c, err := f.provider.Start(ctx, clusters.Config{
		Name: t.ID, Mode: t.mode, Proxy: t.scenario.Proxy,
		Population: scenarios.Point{Services: t.point.Services, Endpoints: t.point.Endpoints},
		Ports:      population.Targets(t.scenario.Population.Ports),
		LogDir:     f.logDir,
	})
	if err != nil {
		return err
	}
	f.cluster = c
	f.scalar(results.ClusterUp, "s", time.Since(start).Seconds())
	f.record.ProxyConfig = c.Proxy().Config()
	f.record.Notes = append(f.record.Notes, c.Proxy().Notes()...)
	return nil
}

// clusterDown removes the cluster, also after ctx has ended. What it could not
// remove does not change what was measured: it is a warning.
func (f *inFlight) clusterDown(ctx context.Context) {
	if f.cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	f.observer.Phase(phaseClusterDown, false)
	start := agent.Now()
	if f.probe != nil { // a phase failed before it was closed
		_ = f.probe.Close()
	}
	err := f.cluster.Close(ctx)
	end := agent.Now()
	f.record.Phases = append(f.record.Phases, results.Phase{Name: phaseClusterDown, Start: start, End: end})
	f.scalar(results.ClusterDown, "s", seconds(end-start))
	if err != nil {
		f.warn("", "the cluster was not removed as it should be (`svcbench clean` removes what is left): %v", err)
	}
}

// populate writes every Service and its endpoints to the API.
func populate(ctx context.Context, f *inFlight) error {
	s := f.trial.scenario
	spare := 0
	if churns(f) {
		spare = changes(s.Churn) * f.trial.point.Endpoints
	}
	p, err := population.New(f.cluster.Network(), f.trial.point, s.Population.Ports, spare)
	if err != nil {
		return err
	}
	f.population = p
	progress := &steps{observer: f.observer, total: p.Objects()}
	start := agent.Now()
	if err := p.Write(ctx, f.cluster.API(), progress.at); err != nil {
		return fmt.Errorf("write population of %d Services: %w", p.Services(), err)
	}
	f.scalar(results.PopulateRate, "count/s", float64(p.Objects())/seconds(agent.Now()-start))
	return nil
}

// seconds converts nanoseconds.
func seconds(ns int64) float64 { return float64(ns) / float64(time.Second) }
