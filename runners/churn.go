package runners

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
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

// changer makes the changes of a churn.
type changer interface {
	// planned is how many API writes the schedule asks for.
	planned() int
	// affected are the Services of the population that it changes: those that
	// somebody answers for all the time, and those for which sometimes nobody
	// should.
	affected() (changed, silenced []int)
	// run makes all changes of the schedule that begins at a time of
	// CLOCK_MONOTONIC, and returns when the last has been seen or given up.
	run(ctx context.Context, begin int64) error
	// changes are those that were made, in no order.
	changes() []results.Change
	// close gives up what it needed. It is called once.
	close()
}

// changePopulation changes the population, and measures how long it takes until
// traffic obeys and what other traffic notices.
func changePopulation(ctx context.Context, f *inFlight) error {
	watcher, err := watch.Start(ctx, f.cluster.Place(clusters.AtClient))
	if err != nil {
		return err
	}
	defer watcher.Close()
	c, err := f.changer(ctx, watcher)
	if err != nil {
		return fmt.Errorf("prepare changes: %w", err)
	}
	defer c.close()
	// What was prepared is no part of the churn.
	if f.cost.before, err = f.usage(ctx); err != nil {
		return err
	}
	if f.cost.syncs.before, err = f.syncs(ctx); err != nil {
		return err
	}
	traffic, err := f.duringTraffic(ctx, c)
	if err != nil {
		return err
	}
	f.record.Changes = slices.SortedFunc(slices.Values(c.changes()), func(a, b results.Change) int { return cmp.Compare(a.ID, b.ID) })
	if f.frozen != nil {
		f.record.Phases = append(f.record.Phases, *f.frozen)
	}
	f.countChanges(c.planned())
	f.doubtChanges()
	f.doubtConnector(results.ConnectChurn, traffic)
	if err := f.storeBackground(traffic); err != nil {
		return err
	}
	if f.cost.syncs.after, err = f.syncs(ctx); err != nil {
		return err
	}
	f.cost.after, err = f.usage(ctx)
	return err
}

// changer prepares the changes that the scenario asks for.
func (f *inFlight) changer(ctx context.Context, w *watch.Watcher) (changer, error) {
	if f.trial.scenario.PodNodes() > 0 {
		return newPodChanger(ctx, f, w)
	}
	return newChurner(f, w)
}

// duringTraffic makes all changes while connections are made in the background.
func (f *inFlight) duringTraffic(ctx context.Context, c changer) (traffic *connect.Result, err error) {
	spec := f.background(c)
	begin := agent.Now() + churnLead.Nanoseconds()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.run(ctx, begin) })
	g.Go(func() error { return f.freeze(ctx, begin) })
	g.Go(func() (err error) {
		traffic, err = connect.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
		return err
	})
	return traffic, g.Wait()
}

// background returns the traffic during churn: new connections to Services that
// are changed, to others all over the rules, and to the first and the last.
func (f *inFlight) background(c changer) connect.Spec {
	rate, timeout := churnTraffic, scenarios.DefaultConnectTimeout.Std()
	if c := f.trial.scenario.Traffic.Connect; c != nil {
		rate, timeout = min(rate, c.Rate), c.Timeout.Std()
	}
	spec := connect.Spec{
		Protocol: f.protocol(), Rate: rate, Timeout: timeout,
		Duration: churnLead + f.trial.scenario.Churn.Length() + churnTail,
		Seed:     f.random("connect.churn").Uint64(), BinWidth: churnBins,
	}
	changed, silenced := c.affected()
	var others []netip.Addr
	for _, ip := range f.classes.All {
		if i, _ := f.population.Index(ip); !slices.Contains(changed, i) && !slices.Contains(silenced, i) {
			others = append(others, ip)
		}
	}
	// Most go where there is most to be seen.
	for _, group := range []struct {
		class  string
		weight int
		addrs  []netip.AddrPort
	}{
		{results.ClassAll, 4, f.serviceAddrs(others)},
		{results.ClassChanged, 4, f.addrsOf(changed)},
		{results.ClassFirst, 1, f.serviceAddrs(f.classes.First)},
		{results.ClassLast, 1, f.serviceAddrs(f.classes.Last)},
	} {
		if len(group.addrs) == 0 {
			continue
		}
		spec.Mix = append(spec.Mix, connect.Share{Class: group.class, Weight: group.weight})
		for _, addr := range group.addrs {
			spec.Targets = append(spec.Targets, connect.Target{Addr: addr, Class: group.class})
		}
	}
	return spec
}

// addrsOf are where Services are reached.
func (f *inFlight) addrsOf(services []int) []netip.AddrPort {
	var all []netip.AddrPort
	for _, i := range services {
		all = append(all, f.population.Addr(i))
	}
	return all
}

// churnable are the Services that a churn may change, in the same order in every
// mode; only those at the positions, which are other ones in each, are left out.
func (f *inFlight) churnable() []int {
	var all []int
	for _, i := range f.random("churned").Perm(f.population.Services()) {
		if class, _ := f.classes.Of(f.population.ClusterIP(i)); class == results.ClassAll {
			all = append(all, i)
		}
	}
	return all
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

// countChanges records how many writes were asked for, and how many were sent.
func (f *inFlight) countChanges(planned int) {
	sent, first, last := 0, int64(math.MaxInt64), int64(0)
	for _, c := range f.record.Changes {
		if c.Sent != 0 {
			sent++
			first, last = min(first, c.Sent), max(last, c.Sent)
		}
	}
	f.scalar(results.ChurnDue, "count", float64(planned))
	f.scalar(results.ChurnSent, "count", float64(sent))
	if len(f.trial.scenario.Churn.Rates) == 0 && last > first {
		f.scalar(results.ChurnRate, "count/s", float64(sent-1)/seconds(last-first))
	}
	if sent != planned {
		f.warn("programming", "%d of %d API writes were sent", sent, planned)
	}
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
		f.warn("programming", "%d of %d changes could not be written or observed", failed, n)
	}
	if float64(behind) > late*float64(n) {
		f.warn("programming", "%d of %d changes were written more than %v after they were due", behind, n, tardy)
	}
}
