package runners

import (
	"context"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/results"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// config describes the cluster of the trial.
func (f *inFlight) config() clusters.Config {
	t := f.trial
	return clusters.Config{
		Name: t.ID, Mode: t.mode, Settings: t.scenario.Settings(), Size: sizeOf(t.scenario, t.point),
		Ports:    population.Targets(t.scenario.Population.Ports),
		PodNodes: t.scenario.PodNodes(), Placement: t.scenario.Population.Placement,
		LogDir:   f.logDir,
		Prepared: f.kept.of(t),
	}
}

// sizeOf is how much a proxy has to program at a point.
func sizeOf(s *scenarios.Scenario, p scenarios.Point) clusters.Size {
	ports := s.Population.Ports
	size := clusters.Size{ClusterIPs: (p.Services + population.EmptyServices) * ports, Endpoints: s.Endpoints(p)}
	if s.Population.Type == scenarios.NodePort {
		size.NodePorts = p.Services * ports
	}
	return size
}

// clusterUp starts the cluster of the trial.
func clusterUp(ctx context.Context, f *inFlight) error {
	start := time.Now()
	c, err := f.provider.Start(ctx, f.config())
	if err != nil {
		return err
	}
	f.cluster = c
	if err := f.compose(c.Network()); err != nil {
		return err
	}
	f.scalar(results.ClusterUp, "s", time.Since(start).Seconds())
	f.record.ProxyConfig = c.Proxy().Config()
	f.record.Notes = append(f.record.Notes, c.Proxy().Notes()...)
	if t := f.trial.scenario.Population.Type; t == scenarios.NodePort {
		f.note("traffic goes to node ports of %v", c.Network().NodeAddr)
	}
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

// seconds converts nanoseconds.
func seconds(ns int64) float64 { return float64(ns) / float64(time.Second) }
