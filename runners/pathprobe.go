package runners

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"net/netip"

	"svcbench/clusters"
	"svcbench/internal/agent/path"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

// attachPath attaches the path probe to the node. That the node cannot take
// the measurement is no failure of the trial.
func attachPath(ctx context.Context, f *inFlight) error {
	n := f.cluster.Network()
	c := f.trial.scenario.Traffic.Connect
	probe, err := path.Attach(ctx, f.cluster.Place(clusters.AtNode), path.Spec{
		ClientLink: n.ClientLink, BackendLink: n.BackendLink, Protocol: f.protocol(),
		RingBytes: ringBytes(counted(c.Rate, c.Warmup.Std()+c.Duration.Std())),
	})
	var cannot *path.UnsupportedError
	switch {
	case errors.As(err, &cannot):
		f.missing(results.Path, cannot.Because)
		return nil
	case err != nil:
		return err
	}
	f.probe = probe
	f.note("path was measured with %s programs", probe.How())
	if cost, ok := probe.OwnCost(); ok {
		f.note("of each path sample, %d ns are the probe's own; a measured connection pays %d ns for it and any other packet %d ns", cost.Included, cost.SYN, cost.Other)
	}
	// What came by since is not the measurement's.
	return probe.Reset(ctx)
}

// ringBytes is the memory that the path probe needs for the samples of so many
// connections: a power of two with at least a quarter to spare for what else
// comes by. The probe keeps no more than 2^30.
func ringBytes(connections int) int {
	const sample = 24 // bytes of a sample, see path.DefaultRingBytes
	need := connections * sample * 5 / 4
	return min(1<<30, max(path.DefaultRingBytes, 1<<bits.Len(uint(need))))
}

// collectPath takes what the path probe has measured while connections were
// made, and detaches it.
func collectPath(ctx context.Context, f *inFlight) error {
	samples, err := f.probe.Collect(ctx)
	ended := f.probe.Close() // says why, if the agent is gone
	f.probe = nil
	if err := cmp.Or(ended, err); err != nil {
		return err
	}
	f.doubt(samples)
	byClass, strangers := f.sortPath(samples, f.warmups)
	if f.translatesInConnect() {
		f.note("packets leave the client with the address of a pod, so that the path has one class: connections to Services and to pods cannot be told apart there")
	}
	if strangers > 0 {
		f.warn(results.Path, "%d samples were to addresses that are neither Services nor pods; they are left out", strangers)
	}
	return f.store(metric{results.Path, byClass})
}

// doubt warns of samples that the probe could not take.
func (f *inFlight) doubt(s path.Samples) {
	for _, d := range []struct {
		n    uint64
		what string
	}{
		{s.Lost, "were lost because the probe's memory was full"},
		{s.Overwritten, "were lost because too many were under way at once"},
		{s.Unmatched, "left the node without having come in by the client's link"},
		{s.Retransmitted, "were sent again and are not measured"},
	} {
		if float64(d.n) > unmeasured*float64(s.Entered) {
			f.warn(results.Path, "%d of %d connections %s", d.n, s.Entered, d.what)
		}
	}
}

// translatesInConnect reports whether packets carry the address of a pod when
// they leave the client.
func (f *inFlight) translatesInConnect() bool {
	return f.trial.mode == scenarios.EBPF && f.trial.scenario.EBPF.Datapath == scenarios.DatapathSocket
}

// sortPath sorts samples, without those of the first warmups connections, by
// the class of the Service that a connection asked for, and the ones that
// belong to no position also by the tenth of the rules. strangers counts
// addresses that are not of the population.
func (f *inFlight) sortPath(s path.Samples, warmups int) (byClass map[string]distribution, strangers int) {
	byClass = map[string]distribution{}
	add := func(class string, ns int64) {
		d, ok := byClass[class]
		if !ok {
			d.values = stats.NewHistogram()
			byClass[class] = d
		}
		d.values.Record(ns)
	}
	seen := 0
	s.Each(func(dst, backend netip.Addr, ns int64) {
		if seen++; seen <= warmups {
			return
		}
		if i, ok := f.population.Asked(dst, backend); ok {
			dst = f.population.ClusterIP(i) // what classes go by
		}
		class, ok := f.classes.Of(dst)
		switch {
		case ok:
			add(class, ns)
		case f.population.IsPod(dst) && f.translatesInConnect():
			add(results.ClassAll, ns)
		case f.population.IsPod(dst):
			add(results.ClassDirect, ns)
		default:
			strangers++
		}
		if tenth, ok := f.classes.TenthOf(dst); ok && class == results.ClassAll {
			add(tenth, ns)
		}
	})
	return byClass, strangers
}
