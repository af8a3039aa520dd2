package runners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/runners/churn"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

const (
	// restartSpares is how many sets of endpoints restarts need.
	restartSpares = 2
	// restartCalm is how long connections are made before something is restarted,
	// and restartPiece how long each piece of the connections is: how long a
	// restart takes is not known beforehand.
	restartCalm = time.Second
	// restartPiece is how long a piece is at least: twice as long as a cold start
	// and this, which an outage should not outlast.
	restartPiece = 8 * time.Second
)

// outage is something that is away for a while.
type outage struct {
	metric, connections string
	// happen takes it away and brings it back. In between or afterwards it calls
	// write once, and it returns from when on the change could be obeyed.
	happen func(ctx context.Context, write func() error) (from int64, err error)
}

// restart restarts the proxy and then the API server, each while connections are
// made, and measures how long it takes until a change is obeyed.
func restart(ctx context.Context, f *inFlight) error {
	all := []outage{{results.RestartSync, results.ConnectRestart, f.restartProxy}}
	if c, ok := f.cluster.(clusters.Restartable); ok {
		all = append(all, outage{results.RestartAPI, results.ConnectRestartAPI, func(ctx context.Context, write func() error) (int64, error) {
			ready, err := c.RestartAPI(ctx)
			if err != nil {
				return 0, err
			}
			return ready, write()
		}})
	} else {
		f.missing(results.RestartAPI, "this provider cannot restart its API server")
	}
	for n, o := range all {
		if err := f.suffer(ctx, o, n); err != nil {
			return fmt.Errorf("%s: %w", o.metric, err)
		}
	}
	// What is said of one Service should hold for all.
	_, err := f.verify(ctx, f.serviceTargets(f.sample()), intactTimeout)
	return err
}

// restartProxy ends the proxy, has a change written, and starts it again.
func (f *inFlight) restartProxy(ctx context.Context, write func() error) (int64, error) {
	proxy := f.cluster.Proxy()
	if err := proxy.Stop(ctx); err != nil {
		return 0, err
	}
	if err := write(); err != nil {
		return 0, err
	}
	return proxy.Start(ctx)
}

// suffer goes through the n-th outage.
func (f *inFlight) suffer(ctx context.Context, o outage, n int) error {
	spec := f.restartTraffic()
	over := make(chan struct{})
	var pieces []*connect.Result
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		pieces, err = f.connectUntil(ctx, spec, over)
		return err
	})
	g.Go(func() error {
		defer close(over)
		return f.goThrough(ctx, o, n)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return f.storePieces(o.connections, pieces)
}

// goThrough lets an outage happen and records when a change was obeyed.
func (f *inFlight) goThrough(ctx context.Context, o outage, n int) error {
	if err := waitUntil(ctx, agent.Now()+restartCalm.Nanoseconds()); err != nil {
		return err
	}
	watcher, err := watch.Start(ctx, f.cluster.Place(clusters.AtClient))
	if err != nil {
		return err
	}
	defer watcher.Close()
	before, err := f.anyService()
	if err != nil {
		return err
	}
	fresh := f.population.Spare(f.churnSpares() + n)
	after := before
	after.Endpoints = fresh
	seen, err := watcher.Watch(ctx, watch.Command{
		ID: n + 1, Addr: before.Addr, Protocol: f.protocol(), Old: before.Endpoints, New: fresh,
		Timeout: convergeTimeout(f.population.Services(), f.population.Endpoints()),
	})
	if err != nil {
		return err
	}
	from, err := o.happen(ctx, func() error {
		limited, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		slice := f.population.EndpointSlice(before.Index, population.Endpoints{Ready: fresh})
		_, err := f.cluster.API().DiscoveryV1().EndpointSlices(population.Namespace).Update(limited, slice, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	change := results.Change{ID: n + 1, Sent: from}
	if _, err := observe(ctx, &change, watcher, seen); err != nil {
		return err
	}
	f.changed[before.Index] = after
	value := results.Scalar{Metric: o.metric, Unit: "s", Value: seconds(change.FirstNew - from)}
	if change.FirstNew == 0 {
		value.Value, value.Censored = seconds(change.GaveUp-from), true
	}
	f.record.Scalars = append(f.record.Scalars, value)
	return nil
}

// anyService is a Service that somebody answers for, the same in every mode.
func (f *inFlight) anyService() (churn.Service, error) {
	for _, i := range f.churnable() {
		if s := f.service(i); s.Answers() && s.Addr == f.population.Addr(i) {
			return s, nil
		}
	}
	return churn.Service{}, errors.New("no Service is left to change")
}

// restartTraffic is one piece of the connections, to Services all over the rules.
func (f *inFlight) restartTraffic() connect.Spec {
	spec := connect.Spec{
		Protocol: f.protocol(), Rate: churnTraffic, Timeout: scenarios.DefaultConnectTimeout.Std(),
		Duration: restartPiece + 2*f.coldStart, Mix: []connect.Share{{Class: results.ClassAll, Weight: 1}},
	}
	// Those that are changed here have other endpoints then, and answer all the same.
	for _, ip := range f.classes.All {
		if i, ok := f.population.Index(ip); ok && f.service(i).Answers() {
			spec.Targets = append(spec.Targets, connect.Target{Addr: f.service(i).Addr, Class: results.ClassAll})
		}
	}
	return spec
}

// connectUntil makes connections in pieces, until over is closed.
func (f *inFlight) connectUntil(ctx context.Context, spec connect.Spec, over <-chan struct{}) ([]*connect.Result, error) {
	random := f.random("connect.restart")
	var pieces []*connect.Result
	for {
		spec.Seed = random.Uint64()
		piece, err := connect.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece)
		select {
		case <-over:
			return pieces, nil
		default:
		}
	}
}

// storePieces records connections that were made in pieces, together.
func (f *inFlight) storePieces(name string, pieces []*connect.Result) error {
	all := distribution{values: stats.NewHistogram(), errors: map[string]int64{}}
	for _, p := range pieces {
		for _, c := range p.Classes {
			latency, err := stats.Decode(c.Connect)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all.values.Merge(latency)
			all.censored += c.Censored
			for kind, n := range c.Errors {
				all.errors[kind] += n
			}
		}
	}
	return f.store(metric{name, map[string]distribution{results.ClassAll: all}})
}
