package runners

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/connect"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

// The mix of connections: of ten, six go to Services all over the rules, which
// are the headline, one to each position in the rules and one to pods.
const (
	weightAll      = 6
	weightPosition = 1
	weightDirect   = 1
)

// directPods is how many Services lend their pods to connections without a
// Service: as many as there are at all positions.
const directPods = 15

// connectTraffic opens new connections to Services at all positions and to
// pods, and counts how long they take.
func connectTraffic(ctx context.Context, f *inFlight) error {
	c := f.trial.scenario.Traffic.Connect
	targets, mix := f.mix()
	result, err := connect.Run(ctx, f.cluster.Place(clusters.AtClient), connect.Spec{
		Targets: targets, Protocol: f.protocol(), Mix: mix, Rate: c.Rate,
		Warmup: c.Warmup.Std(), Duration: c.Duration.Std(), Timeout: c.Timeout.Std(),
		Seed: f.random("connect").Uint64(), BinWidth: c.Duration.Std() / driftBins,
	})
	if err != nil {
		return err
	}
	f.drift, f.offered = driftOf(result.Bins), f.offered.worse(connectionsOffered(result))
	f.warmups = counted(c.Rate, c.Warmup.Std())
	if f.protocol() == agent.UDP {
		f.note("a connection of UDP is a new source port, one datagram and its answer: connect holds the way back and the backend's turn; connect.syscall is connect() and send() together")
	}
	if !f.trial.scenario.Measures(scenarios.Connect) {
		return nil
	}
	f.doubtConnector(results.Connect, result)
	return f.storeConnections(result)
}

// driftBins is into how many parts of like length connections are divided to see
// whether they became slower or faster.
const driftBins = 10

// driftOf is by what share the slower half of a time is slower than the other: of each
// the median of the medians of its parts; 0 if that cannot be said.
func driftOf(bins []results.Bin) float64 {
	half := func(bins []results.Bin) float64 {
		var medians []float64
		for _, b := range bins {
			if b.Count > 0 {
				medians = append(medians, float64(b.P50))
			}
		}
		if len(medians) == 0 {
			return 0
		}
		return stats.Median(medians).Estimate
	}
	first, second := half(bins[:len(bins)/2]), half(bins[len(bins)/2:])
	if first == 0 || second == 0 {
		return 0
	}
	return max(first/second, second/first) - 1
}

// counted is how many connections are due in the first d of a schedule.
func counted(rate int, d time.Duration) int {
	return int((d.Nanoseconds()*int64(rate) + int64(time.Second) - 1) / int64(time.Second))
}

// mix returns the targets of connections by class, and how often each class is
// met.
func (f *inFlight) mix() (targets []connect.Target, mix []connect.Share) {
	add := func(class string, weight int, addrs []netip.AddrPort) {
		if len(addrs) == 0 {
			return
		}
		for _, a := range addrs {
			targets = append(targets, connect.Target{Addr: a, Class: class})
		}
		mix = append(mix, connect.Share{Class: class, Weight: weight})
	}
	add(results.ClassAll, weightAll, f.serviceAddrs(f.classes.All))
	add(results.ClassFirst, weightPosition, f.serviceAddrs(f.classes.First))
	add(results.ClassMiddle, weightPosition, f.serviceAddrs(f.classes.Middle))
	add(results.ClassLast, weightPosition, f.serviceAddrs(f.classes.Last))
	add(results.ClassDirect, weightDirect, f.podAddrs())
	return targets, mix
}

// serviceAddrs returns where Services answer, which are given by their cluster
// IPs, in the order given.
func (f *inFlight) serviceAddrs(ips []netip.Addr) []netip.AddrPort {
	addrs := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		if i, ok := f.population.Index(ip); ok {
			addrs = append(addrs, f.population.Addr(i))
		}
	}
	return addrs
}

// podAddrs returns where the pods of some random Services answer.
func (f *inFlight) podAddrs() []netip.AddrPort {
	n := f.population.Services()
	var addrs []netip.AddrPort
	for _, i := range f.random("direct").Perm(n)[:min(n, directPods)] {
		addrs = append(addrs, f.population.PodAddr(f.population.PodIPs(i)[0]))
	}
	return addrs
}

// storeConnections records what was counted, by class.
func (f *inFlight) storeConnections(r *connect.Result) error {
	latencies, calls := map[string]distribution{}, map[string]distribution{}
	for _, c := range r.Classes {
		latency, err := stats.Decode(c.Connect)
		if err != nil {
			return fmt.Errorf("connections of class %s: %w", c.Class, err)
		}
		call, err := stats.Decode(c.Syscall)
		if err != nil {
			return fmt.Errorf("connections of class %s: %w", c.Class, err)
		}
		latencies[c.Class] = distribution{values: latency, censored: c.Censored, errors: c.Errors}
		calls[c.Class] = distribution{values: call}
	}
	lag, err := stats.Decode(r.Lag)
	if err != nil {
		return fmt.Errorf("lag of connections: %w", err)
	}
	return f.store(
		metric{results.Connect, latencies}, metric{results.ConnectSyscall, calls},
		metric{results.ConnectLag, map[string]distribution{results.ClassAll: {values: lag}}},
	)
}

// doubtConnector warns of what the connector could not do as planned.
func (f *inFlight) doubtConnector(metric string, r *connect.Result) {
	if r.Dropped > 0 {
		f.warn(metric, "%d of %d connections were never started: the client could not keep up", r.Dropped, r.Due)
	}
	if share := float64(r.Late) / float64(max(1, r.Started)); share > late {
		f.warn(metric, "%.0f%% of the connections began only after the next one was due", 100*share)
	}
	if r.Health.GCs > 0 {
		f.warn(metric, "the client collected garbage %d times while it measured", r.Health.GCs)
	}
}
