package runners

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/population"
)

const (
	// preRoll is how long before a change its Service is watched, so that
	// the watch is under way at the write.
	preRoll = 250 * time.Millisecond
	// writeTimeout is when a write to the API is given up.
	writeTimeout = 30 * time.Second
	// probeRate is the highest rate of connections that watch changes, all
	// together, if each change is watched for about typicalWatch. A scenario
	// with more changes gets a longer pause between them than
	// watch.DefaultInterval, the same in every mode.
	probeRate    = 5000
	typicalWatch = 1500 * time.Millisecond
)

// churner replaces the endpoints of Services on a schedule. No Service is
// changed twice at the same time, and no pod IP comes back.
type churner struct {
	f        *inFlight
	watcher  *watch.Watcher
	table    clusters.Table // nil if it cannot be looked up
	due      []time.Duration
	interval time.Duration // between two connections that watch a change
	idle     chan int      // the Services that may be changed, the next first

	mu        sync.Mutex
	endpoints map[int][]netip.Addr // of Services that were changed; none if in doubt
	made      []results.Change
	failed    int
}

func newChurner(f *inFlight, w *watch.Watcher) (*churner, error) {
	churn := f.trial.scenario.Churn
	table, err := f.openTable()
	if err != nil {
		return nil, err
	}
	c := &churner{
		f: f, watcher: w, table: table, due: dues(churn, f.random("changes")),
		interval:  max(f.probeInterval, probeInterval(churn.Rate)),
		idle:      make(chan int, f.population.Services()),
		endpoints: map[int][]netip.Addr{},
	}
	// In the same order in every mode; only the Services at the positions,
	// which are other ones in each, are left out.
	for _, i := range f.random("churned").Perm(f.population.Services()) {
		if class, _ := f.classes.Of(f.population.ClusterIP(i)); class == results.ClassAll {
			c.idle <- i
		}
	}
	if c.interval != watch.DefaultInterval {
		f.note("each change was watched by a connection every %v", c.interval)
	}
	return c, nil
}

var _ changer = (*churner)(nil)

// changes are those that were made. They are also what the population is from now
// on.
func (c *churner) changes() []results.Change {
	maps.Copy(c.f.endpoints, c.endpoints)
	if c.table != nil && !slices.ContainsFunc(c.made, func(c results.Change) bool { return c.Programmed != 0 }) {
		c.f.missing(results.ProgrammingTable, "no change was seen in the kernel's tables")
	}
	return c.made
}

// close closes the tables.
func (c *churner) close() {
	if c.table != nil {
		_ = c.table.Close() // they were only read
	}
}

// probeInterval is the time between two connections that watch a change, when
// there are so many changes a second.
func probeInterval(rate float64) time.Duration {
	under := rate * typicalWatch.Seconds() // changes under way at once
	interval := time.Duration(under / probeRate * float64(time.Second)).Round(100 * time.Microsecond)
	return max(watch.DefaultInterval, interval)
}

// run makes all changes. One whose Service is not to be had in time is late.
func (c *churner) run(ctx context.Context, begin int64) error {
	return onSchedule(ctx, begin, c.due, c.idle, c.change)
}

// change makes the n-th change, to Service i at the time due.
func (c *churner) change(ctx context.Context, n, i int, due int64) error {
	p := c.f.population
	old, fresh := c.endpointsOf(i), p.Spare(n)
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	seen, err := c.watcher.Watch(watching, watch.Command{
		ID: n, Addr: p.Addr(i), New: fresh, Old: old, Protocol: c.f.protocol(),
		Interval: c.interval, Timeout: preRoll + c.f.trial.scenario.Churn.Timeout.Std(),
	})
	if err != nil {
		return err
	}
	if err := waitUntil(ctx, due); err != nil {
		return err
	}
	change := results.Change{ID: n + 1, Kind: string(c.f.trial.scenario.Churn.Kind), Service: p.Name(i), Due: due}
	programmed := c.programmed(ctx, i, fresh) // tables may have it before the answer to the write is here
	defer programmed()
	if err := c.write(ctx, &change, i, fresh); err != nil {
		return err
	}
	if change.Error != "" {
		change.GaveUp = agent.Now()
		return c.doubt(change, i)
	}
	if _, err := observe(ctx, &change, c.watcher, seen); err != nil {
		return err
	}
	if change.Programmed, err = programmed(); err != nil {
		return fmt.Errorf("look for change %d: %w", change.ID, err)
	}
	// The old pods went on answering until traffic had left them.
	if err := c.f.cluster.Backends().Off(ctx, old...); err != nil {
		return fmt.Errorf("take replaced pods away: %w", err)
	}
	c.finish(change, i, fresh)
	return nil
}

// write gives Service i new endpoints. What the API server says against it is
// part of the change, and no error.
func (c *churner) write(ctx context.Context, change *results.Change, i int, fresh []netip.Addr) error {
	slice := c.f.population.EndpointSlice(i, fresh)
	slices := c.f.cluster.API().DiscoveryV1().EndpointSlices(population.Namespace)
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	change.Sent = agent.Now()
	// Without a resource version the write is unconditional: nobody else
	// changes the slice, so that there is nothing to conflict with.
	_, err := slices.Update(limited, slice, metav1.UpdateOptions{})
	answered := agent.Now()
	switch {
	case err == nil:
		change.Acked = answered
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		change.Error = err.Error()
	}
	return nil
}

// programmed begins to look at the kernel's tables until they lead Service i to
// the new endpoints. The function that it returns ends that, and says when they
// did; 0 if they have not yet, or cannot be looked up. It must be called before
// the tables are closed, and may be called again.
func (c *churner) programmed(ctx context.Context, i int, fresh []netip.Addr) func() (int64, error) {
	if c.table == nil {
		return func() (int64, error) { return 0, nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var at int64
	var err error
	go func() {
		defer close(ended)
		at, err = awaitTable(ctx, c.table, c.f.population.Addr(i), c.f.trial.scenario.Population.Protocol, fresh)
	}()
	return func() (int64, error) {
		cancel()
		<-ended
		return at, err
	}
}

// observe waits until it has been seen with traffic what became of a change,
// completes it, and returns which new endpoint was the first to answer.
func observe(ctx context.Context, change *results.Change, w *watch.Watcher, seen <-chan watch.Seen) (newFrom netip.Addr, err error) {
	var s watch.Seen
	select {
	case <-ctx.Done():
		return newFrom, context.Cause(ctx)
	case one, ok := <-seen:
		if !ok {
			return newFrom, fmt.Errorf("watch change %d: %w", change.ID, silence(ctx, w))
		}
		s = one
	}
	change.FirstNew, change.OldSettled, change.GaveUp = s.FirstNew, s.OldSettled, s.GaveUp
	change.Probes, change.Errors = s.Probes, s.Errors
	// The watch began before the write.
	if s.LastOld >= change.Sent {
		change.LastOld = s.LastOld
	}
	// Who asked a little earlier can still be answered by the new state.
	earliest := change.Sent - watch.DefaultAttemptTimeout.Nanoseconds()
	if s.FirstNew != 0 && s.FirstNew < earliest || s.FirstNew == 0 && s.OldSettled != 0 && s.OldSettled < change.Sent {
		change.Error = beforehand
	}
	return s.NewFrom, nil
}

// beforehand is what is wrong with a change that connections seemed to obey before it
// was written: something else made them, or they were stalled.
const beforehand = "connections behaved as after the change before it was written"

// finish records a change and lets the Service be changed again.
func (c *churner) finish(change results.Change, i int, now []netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, change)
	c.endpoints[i] = now
	c.idle <- i // has room for all Services
}

// doubt records a change whose write failed. Nobody knows which endpoints its
// Service has now, so that it is not changed again. When that is so for many,
// it is no measurement any more.
func (c *churner) doubt(change results.Change, i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, change)
	c.endpoints[i] = nil
	c.failed++
	if most := len(c.due) / 10; c.failed > most || c.failed == len(c.f.classes.All) {
		return fmt.Errorf("%d of %d changes could not be written, the last because: %s", c.failed, len(c.due), change.Error)
	}
	return nil
}

func (c *churner) endpointsOf(i int) []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ips, ok := c.endpoints[i]; ok {
		return ips
	}
	return c.f.population.PodIPs(i)
}

// silence returns why a watch ended without a word.
func silence(ctx context.Context, w *watch.Watcher) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := w.Err(); err != nil {
		return err
	}
	return errors.New("the watcher was closed")
}
