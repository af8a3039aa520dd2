package runners

import (
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"

	"svcbench/clusters"
	"svcbench/internal/results"
)

// syncMetric is kube-proxy's histogram of how long it took to program its
// rules. It is the only one of its metrics that compares across modes.
const syncMetric = "kubeproxy_sync_proxy_rules_duration_seconds"

const (
	// syncPause is the time between two looks at the metric.
	syncPause = 50 * time.Millisecond
	// syncTimeout is how long the first sync may take to end after traffic
	// has said that its rules are there.
	syncTimeout = 10 * time.Second
)

// costs is what the proxy had used by certain moments.
type costs struct {
	// start is after the first sync, before and after are around the churn.
	start, before, after clusters.Usage
	syncs                struct{ before, after syncs }
	// noMetric is why there is no metric of syncs.
	noMetric string
}

// syncs is the number of syncs since the proxy was started, and how long they
// took together.
type syncs struct {
	count   uint64
	seconds float64
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

// syncs returns the proxy's own metric of syncs, if anybody wants to know and
// it has one.
func (f *inFlight) syncs(ctx context.Context) (syncs, error) {
	if !measuresProxy(f) || f.cost.noMetric != "" {
		return syncs{}, nil
	}
	families, err := f.cluster.Proxy().Metrics(ctx)
	switch {
	case ctx.Err() != nil:
		return syncs{}, context.Cause(ctx)
	case err != nil:
		f.cost.noMetric = fmt.Sprintf("the proxy's metrics could not be read: %v", err)
		return syncs{}, nil
	case families[syncMetric] == nil:
		f.cost.noMetric = "the proxy has no metric " + syncMetric
		return syncs{}, nil
	}
	return countSyncs(families[syncMetric]), nil
}

// countSyncs adds up the metric of IPv4: the proxy for IPv6 has nothing to do.
func countSyncs(family *dto.MetricFamily) syncs {
	var s syncs
	for _, m := range family.GetMetric() {
		if ofIPv6(m) {
			continue
		}
		s.count += m.GetHistogram().GetSampleCount()
		s.seconds += m.GetHistogram().GetSampleSum()
	}
	return s
}

func ofIPv6(m *dto.Metric) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == "ip_family" && l.GetValue() == "IPv6" {
			return true
		}
	}
	return false
}

// costOfStart notes what the proxy has used to converge: once it has counted
// its first sync, for the time of a program that it ran for that counts only
// when the program has ended, which is after its rules work.
func (f *inFlight) costOfStart(ctx context.Context) (err error) {
	if !measuresProxy(f) {
		return nil
	}
	if err := f.awaitFirstSync(ctx); err != nil {
		return err
	}
	f.cost.start, err = f.usage(ctx)
	return err
}

// awaitFirstSync records how long the proxy was syncing until convergence.
func (f *inFlight) awaitFirstSync(ctx context.Context) error {
	deadline := time.Now().Add(syncTimeout)
	for {
		s, err := f.syncs(ctx)
		switch {
		case err != nil:
			return err
		case f.cost.noMetric != "":
			f.missing(results.ProxySyncFirst, f.cost.noMetric)
			return nil
		case s.count > 0:
			f.scalar(results.ProxySyncFirst, "s", s.seconds)
			return nil
		case time.Now().After(deadline):
			f.missing(results.ProxySyncFirst, fmt.Sprintf("the proxy had counted no sync %v after it had converged", syncTimeout))
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
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
	c := f.cost
	f.scalar(results.ProxyCPU, "s", end.CPU.Seconds())
	f.scalar(results.ProxyCPUStart, "s", c.start.CPU.Seconds())
	f.scalar(results.ProxyRSS, "bytes", float64(end.MaxRSS))
	if !churns(f) {
		return nil
	}
	f.scalar(results.ProxyCPUChurn, "s", (c.after.CPU - c.before.CPU).Seconds())
	if c.noMetric != "" {
		f.missing(results.ProxySyncChurn, c.noMetric)
		f.missing(results.ProxySyncCount, c.noMetric)
		return nil
	}
	count := c.syncs.after.count - c.syncs.before.count
	f.scalar(results.ProxySyncCount, "count", float64(count))
	if count == 0 {
		f.missing(results.ProxySyncChurn, "the proxy counted no sync during the churn")
		return nil
	}
	f.scalar(results.ProxySyncChurn, "s", (c.syncs.after.seconds-c.syncs.before.seconds)/float64(count))
	return nil
}
