package runners

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

const (
	// churnLead is the time from the start of the agents to the beginning of
	// the churn, for them to get going and to see the calm before.
	churnLead = 500 * time.Millisecond
	// churnTail is how much longer than the churn its traffic lasts.
	churnTail = time.Second
	// churnTraffic is the highest rate of connections during churn. They show
	// what users notice of it and should cost little beside it.
	churnTraffic = 200
	// churnBins is the resolution of latency over time.
	churnBins = 100 * time.Millisecond
	// tardy is how much after its time a change may be written without doubt
	// about the schedule.
	tardy = 20 * time.Millisecond
)

// churn changes the population, and measures how long it takes until traffic
// obeys and what other traffic notices.
func churn(ctx context.Context, f *inFlight) (err error) {
	if f.cost.before, err = f.usage(ctx); err != nil {
		return err
	}
	if f.cost.syncs.before, err = f.syncs(ctx); err != nil {
		return err
	}
	if err := f.churn(ctx); err != nil {
		return err
	}
	if f.cost.syncs.after, err = f.syncs(ctx); err != nil {
		return err
	}
	f.cost.after, err = f.usage(ctx)
	return err
}

// churn makes all changes while connections are made in the background.
func (f *inFlight) churn(ctx context.Context) error {
	watcher, err := watch.Start(ctx, f.cluster.Place(clusters.AtClient))
	if err != nil {
		return err
	}
	defer watcher.Close()
	if f.trial.scenario.NeedsPods() {
		return f.roll(ctx, watcher)
	}
	table, err := f.openTable()
	if err != nil {
		return err
	}
	if table != nil {
		defer table.Close()
	}
	spec := f.background()
	c := newChurner(f, watcher, agent.Now()+churnLead.Nanoseconds())
	c.table = table
	var traffic *connect.Result
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.run(ctx) })
	g.Go(func() (err error) {
		traffic, err = connect.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	slices.SortFunc(c.made, func(a, b results.Change) int { return cmp.Compare(a.ID, b.ID) })
	f.record.Changes = c.made
	maps.Copy(f.endpoints, c.endpoints)
	if table != nil && !slices.ContainsFunc(c.made, func(c results.Change) bool { return c.Programmed != 0 }) {
		f.missing(results.ProgrammingTable, "no change was seen in the kernel's tables")
	}
	f.doubtChanges()
	f.doubtConnector(results.ConnectChurn, traffic)
	return f.storeBackground(traffic)
}

// roll makes all rollouts while connections are made in the background.
func (f *inFlight) roll(ctx context.Context, watcher *watch.Watcher) error {
	r, err := newRoller(ctx, f, watcher)
	if err != nil {
		return fmt.Errorf("prepare rollouts: %w", err)
	}
	defer r.track.close()
	spec := f.background()
	r.begin = agent.Now() + churnLead.Nanoseconds()
	var traffic *connect.Result
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.run(ctx) })
	g.Go(func() (err error) {
		traffic, err = connect.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	slices.SortFunc(r.made, func(a, b results.Change) int { return cmp.Compare(a.ID, b.ID) })
	f.record.Changes = r.made
	f.doubtChanges()
	f.doubtConnector(results.ConnectChurn, traffic)
	return f.storeBackground(traffic)
}

// background returns the traffic during churn: new connections to the
// Services that may be changed.
func (f *inFlight) background() connect.Spec {
	rate, timeout := churnTraffic, scenarios.DefaultConnectTimeout.Std()
	if c := f.trial.scenario.Traffic.Connect; c != nil {
		rate, timeout = min(rate, c.Rate), c.Timeout.Std()
	}
	spec := connect.Spec{
		Protocol: f.protocol(),
		Mix:      []connect.Share{{Class: results.ClassAll, Weight: 1}}, Rate: rate, Timeout: timeout,
		Duration: churnLead + f.trial.scenario.Churn.Duration.Std() + churnTail,
		Seed:     f.random("connect.churn").Uint64(), BinWidth: churnBins,
	}
	for _, addr := range f.serviceAddrs(f.classes.All) {
		spec.Targets = append(spec.Targets, connect.Target{Addr: addr, Class: results.ClassAll})
	}
	return spec
}

// storeBackground records the connections made during churn, together and over
// time.
func (f *inFlight) storeBackground(r *connect.Result) error {
	byClass := map[string]distribution{}
	for _, c := range r.Classes {
		latency, err := stats.Decode(c.Connect)
		if err != nil {
			return fmt.Errorf("connections during churn: %w", err)
		}
		byClass[c.Class] = distribution{values: latency, censored: c.Censored, errors: c.Errors}
	}
	f.record.Series = append(f.record.Series, results.Series{
		Metric: results.ConnectChurn, Phase: phaseChurn, Start: r.Start, Width: churnBins.Nanoseconds(), Bins: r.Bins,
	})
	return f.store(metric{results.ConnectChurn, byClass})
}

// doubtChanges warns of changes that were not written as planned.
func (f *inFlight) doubtChanges() {
	var behind, failed int
	for _, c := range f.record.Changes {
		switch {
		case c.Error != "":
			failed++
		case c.Sent-c.Due > tardy.Nanoseconds():
			behind++
		}
	}
	n := len(f.record.Changes)
	if failed > 0 {
		f.warn("programming", "%d of %d changes could not be written", failed, n)
	}
	if float64(behind) > late*float64(n) {
		f.warn("programming", "%d of %d changes were written more than %v after they were due", behind, n, tardy)
	}
}
