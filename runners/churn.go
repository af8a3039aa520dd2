package runners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/flow"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
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
	// about the schedule, tardyStorm the same for one of many at once: that an API
	// server takes its time for hundreds of writes is no fault of the schedule.
	tardy      = 20 * time.Millisecond
	tardyStorm = 5 * time.Second
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
	f.cost.system.before = systemTime()
	traffic, flows, err := f.duringTraffic(ctx, c)
	if err != nil {
		return err
	}
	f.record.Changes = slices.SortedFunc(slices.Values(c.changes()), func(a, b results.Change) int { return cmp.Compare(a.ID, b.ID) })
	f.cost.system.after = systemTime()
	if f.frozen != nil {
		f.record.Phases = append(f.record.Phases, *f.frozen)
	}
	f.countChanges(c.planned())
	f.doubtChanges()
	f.doubtConnector(results.ConnectChurn, traffic)
	if err := errors.Join(f.storeBackground(traffic), f.storeFlows(flows, c)); err != nil {
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
func (f *inFlight) duringTraffic(ctx context.Context, c changer) (traffic *connect.Result, flows []flow.Flow, err error) {
	spec := f.background(c)
	begin := agent.Now() + churnLead.Nanoseconds()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.run(ctx, begin) })
	g.Go(func() error { return f.freeze(ctx, begin) })
	g.Go(func() (err error) {
		traffic, err = connect.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
		return err
	})
	g.Go(func() (err error) {
		flows, err = f.keepFlows(ctx, c)
		return err
	})
	return traffic, flows, g.Wait()
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

// sent is how many API writes of the churn were sent.
func (f *inFlight) sent() int {
	n := 0
	for _, c := range f.record.Changes {
		if c.Sent != 0 {
			n++
		}
	}
	return n
}

// countChanges records how many writes were asked for, and how many were sent.
func (f *inFlight) countChanges(planned int) {
	sent, first, last := f.sent(), int64(math.MaxInt64), int64(0)
	for _, c := range f.record.Changes {
		if c.Sent != 0 {
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
	var behind, failed, overtaken, moot int
	limit := tardy
	if f.trial.scenario.Churn.InGroups() {
		limit = tardyStorm
	}
	for _, c := range f.record.Changes {
		switch c.Unseen {
		case results.UnseenOvertaken:
			overtaken++
		case results.UnseenMoot:
			moot++
		}
		switch {
		case c.Error != "":
			failed++
		case c.Sent-c.Due > limit.Nanoseconds():
			behind++
		}
	}
	n := len(f.record.Changes)
	if overtaken+moot > 0 {
		f.note("of %d API writes, %d were overtaken by the next one to the same Service, so that all that is known is that they took longer, and %d had nothing to change yet and are no samples", n, overtaken, moot)
	}
	if failed > 0 {
		f.warn("programming", "%d of %d changes could not be written or observed", failed, n)
	}
	if float64(behind) > late*float64(n) {
		f.warn("programming", "%d of %d changes were written more than %v after they were due", behind, n, limit)
	}
}
