package runners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/procfs"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
)

const (
	// syncPause is the time between two looks at the metric.
	syncPause = 200 * time.Millisecond
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
	// system is the kernel's time of the whole machine before and after the churn.
	system struct{ before, after time.Duration }
}

// syncs is the proxy's own account of its work since it was started.
type syncs struct {
	count     uint64
	seconds   float64
	unsettled bool
	failing   int
	took      clusters.Buckets
	unknown   error // why there are no such figures
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

// syncs returns the proxy's own account. The error is the end of ctx.
func (f *inFlight) syncs(ctx context.Context) (syncs, error) {
	s, err := f.cluster.Proxy().Syncs(ctx)
	switch {
	case ctx.Err() != nil:
		return syncs{}, context.Cause(ctx)
	case err != nil:
		return syncs{unknown: err}, nil
	}
	return syncs{count: s.Count, seconds: s.Duration.Seconds(), unsettled: s.Unsettled, failing: s.Failing, took: s.Programming}, nil
}

// costOfStart waits until the proxy has nothing left to do, and notes what it
// has used to converge. A proxy that cannot program everything makes the trial
// invalid: the sampled Services may be among those that it could.
func (f *inFlight) costOfStart(ctx context.Context) error {
	first, err := f.awaitSettled(ctx)
	switch {
	case err != nil:
		return err
	case first.failing > 0:
		return failure.New(failure.Invalid, fmt.Errorf("the proxy could not program %d addresses of Services", first.failing), "its log says why")
	case first.unsettled:
		f.warn("", "the proxy was still setting itself up %v after traffic had converged", syncTimeout)
	}
	if !measuresProxy(f) {
		return nil
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

// awaitSettled returns the proxy's account once it has settled and counted a
// sync, which is at the end of one and so somewhat after its rules work: the
// time of a program that it ran for that counts only when the program has
// ended. What it could not program it tries again, and may yet.
func (f *inFlight) awaitSettled(ctx context.Context) (syncs, error) {
	deadline := time.Now().Add(syncTimeout)
	for {
		s, err := f.syncs(ctx)
		switch {
		case err != nil, s.count > 0 && !s.unsettled && s.failing == 0:
			return s, err
		case time.Now().After(deadline) && s.unknown == nil && s.count == 0:
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
		f.costOfChurn()
		f.costOfSyncs()
	}
	return nil
}

// costOfChurn records what the proxy has used for the changes.
func (f *inFlight) costOfChurn() {
	before, after := f.cost.before, f.cost.after
	f.scalar(results.ProxyCPUChurn, "s", (after.CPU - before.CPU).Seconds())
	f.scalar(results.ProxyCPUSystem, "s", (after.System - before.System).Seconds())
	if spent := f.cost.system.after - f.cost.system.before; spent > 0 {
		f.scalar(results.MachineSystem, "s", spent.Seconds())
	}
	if n := f.sent(); n > 0 {
		f.scalar(results.ProxyCPUChange, "s", (after.CPU-before.CPU).Seconds()/float64(n))
		if written := after.Written - before.Written; written > 0 {
			f.scalar(results.ProxyWritten, "bytes", float64(written)/float64(n))
		}
	}
}

// costOfSyncs records the syncs during churn by the proxy's own metric.
func (f *inFlight) costOfSyncs() {
	before, after := f.cost.syncs.before, f.cost.syncs.after
	if unknown := cmp.Or(before.unknown, after.unknown); unknown != nil {
		f.missing(results.ProxySyncChurn, unknown.Error())
		f.missing(results.ProxySyncCount, unknown.Error())
		return
	}
	median, err := quantile(before.took, after.took, 0.5)
	switch {
	case after.took.All == 0: // Cilium has no such metric
	case err != nil:
		f.missing(results.ProxyProgramming, err.Error())
	default:
		f.scalar(results.ProxyProgramming, "s", median)
	}
	count := after.count - before.count
	f.scalar(results.ProxySyncCount, "count", float64(count))
	if count == 0 {
		f.missing(results.ProxySyncChurn, "the proxy counted no sync during the churn")
		return
	}
	f.scalar(results.ProxySyncChurn, "s", (after.seconds-before.seconds)/float64(count))
}

// quantile interpolates a quantile of what a histogram has counted between two
// looks, as Prometheus' histogram_quantile does. It cannot be said if nothing was
// counted, or if it is in the lowest bucket or beyond the last: there, it would be a
// guess.
func quantile(before, after clusters.Buckets, q float64) (float64, error) {
	rank := q * float64(after.All-before.All)
	if rank == 0 {
		return 0, errors.New("the proxy counted no change in a metric of its own")
	}
	var lower, below float64
	for _, upper := range slices.Sorted(maps.Keys(after.Counts)) {
		count := float64(after.Counts[upper] - before.Counts[upper])
		switch {
		case count >= rank && lower == 0:
			return 0, fmt.Errorf("it is in the lowest bucket of the proxy's metric, below %v s", upper)
		case count >= rank:
			return lower + (upper-lower)*(rank-below)/(count-below), nil
		}
		lower, below = upper, count
	}
	return 0, fmt.Errorf("it is beyond the last bucket of the proxy's metric, above %v s", lower)
}

// systemTime is the CPU time that the machine has spent in the kernel since it
// booted, 0 if it does not say.
func systemTime() time.Duration {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0
	}
	all := stat.CPUTotal
	return time.Duration((all.System + all.IRQ + all.SoftIRQ) * float64(time.Second))
}
