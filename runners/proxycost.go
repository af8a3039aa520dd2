package runners

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"svcbench/clusters"
	"svcbench/internal/results"
)

const (
	// syncPause is the time between two looks at the metric.
	syncPause = 50 * time.Millisecond
	// syncTimeout is how long the first sync may take to end after traffic
	// has said that its rules are there: on a busy machine, the programs that
	// load the rules of thousands of Services take seconds to finish.
	syncTimeout = time.Minute
)

// costs is what the proxy had used by certain moments.
type costs struct {
	// start is after the first sync, before and after are around the churn.
	start, before, after clusters.Usage
	syncs                struct{ before, after syncs }
}

// syncs is the proxy's own account of its work since it was started.
type syncs struct {
	count   uint64
	seconds float64
	unknown error // why there are no such figures
}

// usage returns what the proxy has used, if anybody wants to know.
func (f *inFlight) usage(ctx context.Context) (clusters.Usage, error) {
	if !measuresProxy(f) {
		return clusters.Usage{}, nil
	}
	u, err := f.cluster.Proxy().Usage(ctx)
	if err != nil {
		return u, fmt.Errorf("read what the proxy has used: %w", err)
	}
	return u, nil
}

// syncs returns the proxy's own account, if anybody wants to know. The error is
// the end of ctx.
func (f *inFlight) syncs(ctx context.Context) (syncs, error) {
	if !measuresProxy(f) {
		return syncs{}, nil
	}
	s, err := f.cluster.Proxy().Syncs(ctx)
	switch {
	case ctx.Err() != nil:
		return syncs{}, context.Cause(ctx)
	case err != nil:
		return syncs{unknown: err}, nil
	}
	return syncs{count: s.Count, seconds: s.Duration.Seconds()}, nil
}

// costOfStart notes what the proxy has used to converge: once it has counted
// its first sync, for the time of a program that it ran for that counts only
// when the program has ended, which is after its rules work.
func (f *inFlight) costOfStart(ctx context.Context) error {
	if !measuresProxy(f) {
		return nil
	}
	first, err := f.awaitFirstSync(ctx)
	if err != nil {
		return err
	}
	if first.unknown != nil {
		f.missing(results.ProxySyncFirst, first.unknown.Error())
		f.warn(results.ProxyCPUStart, "the end of the proxy's first sync is not known: its CPU time may be incomplete")
	} else {
		f.scalar(results.ProxySyncFirst, "s", first.seconds)
	}
	f.cost.start, err = f.usage(ctx)
	return err
}

// awaitFirstSync returns the metric of syncs once it has counted one, which is
// at the end of a sync and so somewhat after its rules work.
func (f *inFlight) awaitFirstSync(ctx context.Context) (syncs, error) {
	deadline := time.Now().Add(syncTimeout)
	for {
		s, err := f.syncs(ctx)
		switch {
		case err != nil, s.count > 0:
			return s, err
		case time.Now().After(deadline) && s.unknown == nil:
			s.unknown = fmt.Errorf("the proxy's own metrics had counted no sync %v after traffic had converged", syncTimeout)
			return s, nil
		case time.Now().After(deadline):
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(syncPause):
		}
	}
}

// proxyCost records what the proxy has used since it was started.
func proxyCost(ctx context.Context, f *inFlight) error {
	end, err := f.usage(ctx)
	if err != nil {
		return err
	}
	f.scalar(results.ProxyCPU, "s", end.CPU.Seconds())
	f.scalar(results.ProxyCPUStart, "s", f.cost.start.CPU.Seconds())
	f.scalar(results.ProxyRSS, "bytes", float64(end.MaxRSS))
	if churns(f) {
		f.scalar(results.ProxyCPUChurn, "s", (f.cost.after.CPU - f.cost.before.CPU).Seconds())
		f.costOfSyncs()
	}
	return nil
}

// costOfSyncs records the syncs during churn by the proxy's own metric.
func (f *inFlight) costOfSyncs() {
	before, after := f.cost.syncs.before, f.cost.syncs.after
	if unknown := cmp.Or(before.unknown, after.unknown); unknown != nil {
		f.missing(results.ProxySyncChurn, unknown.Error())
		f.missing(results.ProxySyncCount, unknown.Error())
		return
	}
	count := after.count - before.count
	f.scalar(results.ProxySyncCount, "count", float64(count))
	if count == 0 {
		f.missing(results.ProxySyncChurn, "the proxy counted no sync during the churn")
		return
	}
	f.scalar(results.ProxySyncChurn, "s", (after.seconds-before.seconds)/float64(count))
}
