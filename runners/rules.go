package runners

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/runners/position"
)

// readRules reads what the proxy has programmed and what that has cost, and
// sorts the Services by where they stand in the rules. Rules that cannot be
// read back are missing; the trial goes on with the order of cluster IPs.
func readRules(ctx context.Context, f *inFlight) error {
	if err := f.costOfStart(ctx); err != nil {
		return err
	}
	rules, err := f.cluster.Proxy().Rules(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failure.CodeOf(err) == failure.Invalid: // it has not programmed everything
		return err
	case err != nil:
		f.missing(results.Rules, err.Error())
		f.warn(results.Path, "the order of the rules could not be read: first, middle and last are by cluster IP")
		f.warn(results.Connect, "the order of the rules could not be read: first, middle and last are by cluster IP")
	case measuresProxy(f):
		for _, name := range slices.Sorted(maps.Keys(rules.Counts)) {
			f.scalar(results.Rules+name, unitOf(name), float64(rules.Counts[name]))
		}
	}
	f.classes = f.classify(rules.Order)
	return nil
}

// unitOf is the unit of a count of rules.
func unitOf(count string) string {
	if count == "memory" {
		return "bytes"
	}
	return "count"
}

// classify sorts the Services of the population by their place in the order of
// the rules, which also has others. If it has none of them there is no such
// order, and their cluster IPs decide.
func (f *inFlight) classify(rules []netip.Addr) *position.Classes {
	n := f.population.Services()
	order := make([]netip.Addr, 0, n)
	found := make(map[netip.Addr]bool, n)
	for _, ip := range rules {
		if _, ours := f.population.Index(ip); ours && !found[ip] {
			found[ip] = true
			order = append(order, ip)
		}
	}
	if len(order) == 0 {
		for i := range n {
			order = append(order, f.population.ClusterIP(i))
		}
		return position.New(order, false)
	}
	if len(order) < n {
		f.warn("", "the order of the rules has %d of %d Services: only these get traffic", len(order), n)
	}
	return position.New(order, true)
}
