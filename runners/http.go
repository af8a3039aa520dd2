package runners

import (
	"context"
	"fmt"
	"net/netip"

	"svcbench/clusters"
	"svcbench/internal/agent/httpload"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

// keptServices is how many Services get requests over kept connections: few
// enough that each connection is used many times.
const keptServices = 32

// httpTraffic returns the phase that sends HTTP requests over connections of
// one kind.
func httpTraffic(kind scenarios.ConnectionKind) func(context.Context, *inFlight) error {
	return func(ctx context.Context, f *inFlight) error {
		h := f.trial.scenario.Traffic.HTTP
		kept := kind == scenarios.KeepAlive
		result, err := httpload.Run(ctx, f.cluster.Place(clusters.AtClient), httpload.Spec{
			Targets: f.requested(kept), Rate: h.Rate,
			Warmup: h.Warmup.Std(), Duration: h.Duration.Std(), Timeout: h.Timeout.Std(),
			KeepAlive: kept, Seed: f.random("http").Uint64(),
		})
		if err != nil {
			return err
		}
		name := results.HTTPNew
		if kept {
			name = results.HTTPKeepAlive
		}
		f.offered = f.offered.worse(requestsOffered(result))
		f.doubtHTTP(name, result)
		return f.storeHTTP(name, result)
	}
}

// requested returns the Services that get requests: with a new connection each
// those that connections go to, in the order of the rules; over kept
// connections, of which only the first packet meets a rule, the same in every
// mode, as many as the warm-up can open connections to, at most keptServices.
func (f *inFlight) requested(kept bool) []netip.AddrPort {
	if !kept {
		return f.serviceAddrs(f.classes.All)
	}
	n, h := f.population.Services(), f.trial.scenario.Traffic.HTTP
	chosen := f.random("requested").Perm(n)
	chosen = chosen[:min(n, keptServices, max(1, counted(h.Rate, h.Warmup.Std())))]
	addrs := make([]netip.AddrPort, len(chosen))
	for at, i := range chosen {
		addrs[at] = f.population.Addr(i)
	}
	return addrs
}

// storeHTTP records what was counted of one kind of connection.
func (f *inFlight) storeHTTP(name string, r *httpload.Result) error {
	for _, m := range []struct {
		name, encoded string
		distribution
	}{
		{name, r.Response, distribution{censored: r.Censored, errors: r.Errors}},
		{name + results.ServiceTime, r.Service, distribution{censored: r.Censored, errors: r.Errors}},
		{name + results.Lag, r.Lag, distribution{}},
	} {
		d, err := m.distribution, error(nil)
		if d.values, err = stats.Decode(m.encoded); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := f.store(metric{m.name, map[string]distribution{results.ClassAll: d}}); err != nil {
			return err
		}
	}
	return nil
}

// doubtHTTP warns of what the client could not do as planned. That it ran late
// is in the response times; it is a doubt about whose fault they are.
func (f *inFlight) doubtHTTP(name string, r *httpload.Result) {
	if r.Dropped > 0 {
		f.warn(name, "%d of %d requests were never sent: the client could not keep up", r.Dropped, r.Due)
	}
	if share := float64(r.Late) / float64(max(1, r.Sent)); share > late {
		f.warn(name, "%.0f%% of the requests were sent only after the next one was due", 100*share)
	}
}
