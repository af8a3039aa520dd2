package runners

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent/verify"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

const (
	// sampled is how many random Services stand for all in a verification,
	// beside the first, the middle and the last.
	sampled = 20
	// seenAtMost is the largest number of endpoints of one Service that must
	// have answered: to meet all of many takes too long (see verify.Spec).
	seenAtMost = 16
	// attemptRate is how many connections a second a verification makes to
	// all its targets together. It competes with the proxy it waits for, so
	// it takes but a few per cent of a core.
	attemptRate = 1000
	// reachTimeout is how long pod IPs may take to answer: they already do.
	reachTimeout = 10 * time.Second
	// intactTimeout is how long changes that traffic had not seen in their
	// own time may take to arrive in the end.
	intactTimeout = 30 * time.Second
)

// convergeTimeout is how long a proxy may take to program a population: 60 s,
// and 10 ms for every Service and endpoint, which grow by as much with each
// 10,000 Services, because iptables-restore takes the longer for a rule the
// more there are. 10,000 Services with 2 endpoints took it 43 s, 30,000 over ten
// minutes; they may take 11 minutes and one hour.
func convergeTimeout(services, endpoints int) time.Duration {
	const crowd = 10_000
	each := 10*time.Millisecond + 10*time.Millisecond*time.Duration(services)/crowd
	return time.Minute + time.Duration(services*(1+endpoints))*each
}

// reachPods makes sure that pods answer without any Service, so that a failure
// later on is the Service's.
func reachPods(ctx context.Context, f *inFlight) error {
	var ips []netip.Addr
	for _, i := range f.sample() {
		ips = append(ips, f.population.PodIPs(i)...)
	}
	if spares := f.spares(); spares > 0 {
		ips = append(ips, f.population.Spare(spares-1)...)
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	var targets []verify.Target
	for _, ip := range slices.Compact(ips) {
		targets = append(targets, verify.Target{ID: "pod " + ip.String(), Addr: f.population.PodAddr(ip), Want: []netip.Addr{ip}})
	}
	_, err := f.verify(ctx, targets, reachTimeout)
	return err
}

// coldStart starts the proxy on the full population for the first time and
// waits until traffic says that it has programmed it.
func coldStart(ctx context.Context, f *inFlight) error {
	started, err := f.cluster.Proxy().Start(ctx)
	if err != nil {
		return fmt.Errorf("start proxy: %w", err)
	}
	timeout := convergeTimeout(f.population.Services(), f.population.Endpoints())
	result, err := f.verify(ctx, f.serviceTargets(f.sample()), timeout)
	if err != nil {
		return fmt.Errorf("wait for the proxy: %w", err)
	}
	f.coldStart = time.Duration(converged(result) - started)
	if f.trial.scenario.Measures(scenarios.ColdStart) {
		f.scalar(results.ColdStart, "s", f.coldStart.Seconds())
	}
	f.forget()
	return nil
}

// forget makes the node forget connections, such as the thousands that were tried
// while the proxy had not programmed their Services yet.
func (f *inFlight) forget() {
	c, ok := f.cluster.(clusters.Forgetful)
	if !ok {
		return
	}
	if err := c.Forget(); err != nil {
		f.warn("", "connections may be lost that come from the same port as one before the rules: %v", err)
	}
}

// converged returns when the last of the targets began to do what it should:
// the start of the first connection that was answered rightly. That all of a
// target's endpoints answer is known a little later, by chance.
func converged(r *verify.Result) int64 {
	var last int64
	for _, t := range r.Targets {
		last = max(last, t.FirstOK)
	}
	return last
}

// verifyIntact makes sure after all measurements that Services still lead to
// their endpoints, changed ones to the new.
func verifyIntact(ctx context.Context, f *inFlight) error {
	changed := slices.Sorted(maps.Keys(f.changed))
	f.random("intact").Shuffle(len(changed), func(i, j int) { changed[i], changed[j] = changed[j], changed[i] })
	services := append(f.sample(), changed[:min(len(changed), sampled)]...)
	slices.Sort(services)
	if _, err := f.verify(ctx, f.serviceTargets(slices.Compact(services)), intactTimeout); err != nil {
		return fmt.Errorf("the population is not what it was: %w", err)
	}
	return nil
}

// sample returns the first, the middle, the last and some random Services, in
// the order of their numbers, which is that of creation and of cluster IPs.
func (f *inFlight) sample() []int { return sample(f.random("sample"), f.population.Services()) }

func sample(r *rand.Rand, n int) []int {
	chosen := append(r.Perm(n)[:min(n, sampled)], 0, n/2, n-1)
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// serviceTargets returns what must be true of Services, on their first port
// and on their last. Services that have no endpoints, or of which nobody knows
// what they are, are left out.
func (f *inFlight) serviceTargets(services []int) []verify.Target {
	var targets []verify.Target
	for _, i := range services {
		s := f.service(i)
		if !s.Answers() {
			continue
		}
		name := f.population.Name(i)
		targets = append(targets, verify.Target{ID: name, Addr: s.Addr, Want: s.Endpoints})
		if f.population.Ports() > 1 {
			targets = append(targets, verify.Target{ID: name + " last port", Addr: f.population.LastAddr(i), Want: s.Endpoints})
		}
	}
	return targets
}

// verify waits until targets do what they should, as seen by a client. That
// they do not in time is an error.
func (f *inFlight) verify(ctx context.Context, targets []verify.Target, timeout time.Duration) (*verify.Result, error) {
	if len(targets) == 0 {
		return nil, errors.New("nothing left to verify")
	}
	result, err := verify.Run(ctx, f.cluster.Place(clusters.AtClient), verify.Spec{
		Targets:  targets,
		Protocol: f.protocol(),
		Interval: time.Duration(len(targets)) * time.Second / attemptRate,
		Timeout:  timeout,
		Sample:   f.seen(),
	})
	if err != nil {
		return nil, err
	}
	if !result.Converged() {
		return nil, errors.New(result.Reason())
	}
	return result, nil
}
