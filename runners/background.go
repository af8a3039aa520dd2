package runners

import (
	"fmt"
	"net/netip"
	"slices"

	"svcbench/internal/agent/connect"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

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
