package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/churn"
)

// podChanger changes real pods on a schedule, each behind a Service of its own,
// and tells by the API server's watches when each part of a change was done.
type podChanger struct {
	f        *inFlight
	kind     podKind
	watcher  *watch.Watcher
	track    *tracker
	due      []time.Duration
	idle     chan []*podded // those that may be changed, which a change takes together
	group    int            // how many that is
	interval time.Duration  // between two connections that watch a change

	mu   sync.Mutex
	made []results.Change
}

// newPodChanger makes the Services and their pods, and returns when the proxy
// leads to them.
func newPodChanger(ctx context.Context, f *inFlight, w *watch.Watcher) (*podChanger, error) {
	pods, ok := f.cluster.(clusters.Podded)
	if !ok {
		return nil, errors.New("this cluster runs no pods")
	}
	spec := f.trial.scenario.Churn
	kind, err := podKindOf(spec.Kinds[0], f.cluster.API(), pods)
	if err != nil {
		return nil, err
	}
	track, err := newTracker(ctx, f.cluster.API(), podNamespace)
	if err != nil {
		return nil, err
	}
	c := &podChanger{f: f, kind: kind, watcher: w, track: track}
	for _, due := range churn.Schedule(spec, f.random("changes")) {
		c.due = append(c.due, due.At)
	}
	all, err := c.deploy(ctx, kind.services(spec))
	if err != nil {
		track.close()
		return nil, err
	}
	groups := kind.groups(all)
	c.idle = make(chan []*podded, len(groups))
	for _, g := range groups {
		c.idle <- g
		c.group = len(g)
		c.interval = max(watch.DefaultInterval, f.probeInterval, time.Duration(len(g))*watch.DefaultInterval/watchedAtOnce)
	}
	if c.interval != watch.DefaultInterval {
		f.note("each change was watched by a connection every %v", c.interval)
	}
	return c, nil
}

var _ changer = (*podChanger)(nil)

// run makes all changes. One for which every Service is busy is late.
func (c *podChanger) run(ctx context.Context, begin int64) error {
	return onSchedule(ctx, begin, c.due, c.idle, c.change)
}

func (c *podChanger) changes() []results.Change { return c.made }

// planned is how many writes there are in all.
func (c *podChanger) planned() int { return len(c.due) * c.group }

// affected are none of the population.
func (c *podChanger) affected() (changed, silenced []int) { return nil, nil }

// close ends the watches; what was deployed goes with the cluster.
func (c *podChanger) close() { c.track.close() }

// change changes a group of Services at the time due.
func (c *podChanger) change(ctx context.Context, n int, group []*podded, due int64) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	moves := make([]move, len(group))
	seen := make([]<-chan watch.Seen, len(group))
	for i, p := range group {
		var err error
		if moves[i], err = c.kind.move(ctx, n, p); err != nil {
			return fmt.Errorf("prepare a change of %s: %w", p.name, err)
		}
		if seen[i], err = c.watcher.Watch(watching, c.command(n*len(group)+i, p, moves[i])); err != nil {
			return err
		}
	}
	if err := c.kind.begin(ctx); err != nil {
		return err
	}
	// What was prepared needs a moment until controllers have heard of it, also for
	// a change that is late.
	if err := waitUntil(ctx, max(due, agent.Now()+(preRoll/2).Nanoseconds())); err != nil {
		return err
	}
	g, changing := errgroup.WithContext(ctx)
	for i, p := range group {
		change := results.Change{ID: n*len(group) + i + 1, Kind: moves[i].kind, Service: p.name, Due: due}
		g.Go(func() error {
			if err := write(changing, &change, moves[i]); err != nil {
				return err
			}
			return c.follow(changing, change, p, moves[i], seen[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	c.idle <- group // has room for all
	return nil
}

// command says what traffic to a Service is watched for.
func (c *podChanger) command(id int, p *podded, m move) watch.Command {
	command := watch.Command{
		ID: id, Addr: p.addr, Protocol: c.f.protocol(), Old: addresses(m.leave), AnyNew: m.comes && m.back == nil,
		Interval: c.interval, Timeout: preRoll + c.f.trial.scenario.Churn.Timeout.Std(),
	}
	if m.back != nil {
		command.New = []netip.Addr{m.back.ip}
	}
	for _, pod := range p.pods {
		if !slices.ContainsFunc(m.leave, pod.same) && (m.back == nil || !pod.same(*m.back)) {
			command.Stay = append(command.Stay, pod.ip)
		}
	}
	return command
}

func addresses(pods []seenPod) []netip.Addr {
	var all []netip.Addr
	for _, p := range pods {
		all = append(all, p.ip)
	}
	return all
}

// write makes the write of a change. Without it there is nothing to measure: that
// it fails is an error of the trial.
func write(ctx context.Context, change *results.Change, m move) error {
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	change.Sent = agent.Now()
	err := m.write(limited)
	change.Acked = agent.Now()
	if err != nil {
		return fmt.Errorf("begin change %d of %s: %w", change.ID, change.Service, err)
	}
	return nil
}

// follow observes a change to its end.
func (c *podChanger) follow(ctx context.Context, change results.Change, p *podded, m move, seen <-chan watch.Seen) error {
	o, err := observe(ctx, &change, c.watcher, seen)
	if err != nil {
		return err
	}
	if err := c.complete(ctx, &change, o.newFrom, p, m); err != nil {
		return fmt.Errorf("change %d of %s: %w", change.ID, p.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, change)
	return nil
}

// complete waits until the pods are as the change wants them, and adds when that
// was seen. newFrom is the new pod that was the first to answer.
func (c *podChanger) complete(ctx context.Context, change *results.Change, newFrom netip.Addr, p *podded, m move) error {
	left := slices.Clone(p.pods)
	without := func(pod seenPod) []seenPod {
		return slices.DeleteFunc(left, func(p seenPod) bool { return p.same(pod) })
	}
	if m.comes {
		came, err := c.came(ctx, p, m)
		if err != nil {
			return err
		}
		change.Ready, change.Sliced = came.ready.at, came.sliced.at
		left = append(without(came), came)
		switch {
		case newFrom.IsValid() && newFrom != came.ip:
			change.Error = fmt.Sprintf("%v answered, and the new pod has %v", newFrom, came.ip)
		case m.away != "" && came.node == m.away:
			change.Error = "the new pod came to the node that was drained"
		}
	}
	if len(m.leave) > 0 {
		went, err := c.went(ctx, p, m)
		if err != nil {
			return err
		}
		change.Unready, change.Unsliced = went.ready.at, went.sliced.at
		left = without(went)
		if !m.ends {
			left = append(left, went)
		}
		if !went.same(m.leave[0]) {
			change.Error = "another pod went than the one that was to"
		}
	}
	p.pods = left
	return nil
}

// went waits for the pod that a change sends away.
func (c *podChanger) went(ctx context.Context, p *podded, m move) (seenPod, error) {
	if m.ends {
		return c.track.gone(ctx, p.name, p.pods)
	}
	return c.track.turned(ctx, m.leave[0], false)
}

// came waits for the pod that a change brings.
func (c *podChanger) came(ctx context.Context, p *podded, m move) (seenPod, error) {
	if m.back != nil {
		return c.track.turned(ctx, *m.back, true)
	}
	return c.track.fresh(ctx, p.name, p.pods)
}
