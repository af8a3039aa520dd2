package runners

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/churn"
)

const (
	// preRoll is how long before a change its Service is watched, so that
	// the watch is under way at the write.
	preRoll = 250 * time.Millisecond
	// writeTimeout is when a write to the API is given up.
	writeTimeout = 30 * time.Second
	// writers is how many writes are under way at once: more only wait for one
	// another in the client, and would seem to take longer.
	writers = 32
	// watchedAtOnce is how many changes are watched at a time, if each takes
	// typicalWatch, so that connections every millisecond to all of them take
	// but a part of a core.
	watchedAtOnce = 6
	typicalWatch  = 1500 * time.Millisecond
)

// churner changes Services on a schedule. No Service is changed twice at the same
// time, and no pod IP comes back by chance.
type churner struct {
	f       *inFlight
	watcher *watch.Watcher
	table   clusters.Table // nil if it cannot be looked up
	plan    []churn.Change
	pools   []*pool
	// touched and silenced are the Services of the pools; see changer.affected.
	touched, silenced []int
	writing           chan struct{} // has room for those who write

	mu     sync.Mutex
	now    map[int]churn.Service // Services that were changed
	made   []results.Change
	gone   map[netip.AddrPort][]removal
	doubts int           // Services of which nobody knows what they are
	under  int           // watches under way
	slow   time.Duration // the longest interval of any
}

// pool is the Services that one kind changes.
type pool struct {
	kind churn.Kind
	idle chan []*changed // groups that may be changed, the next first
	size int             // of Services
	left int             // of these, that are not in doubt; see churner.mu
}

// changed is a Service that changes from time to time.
type changed struct {
	churn.Service
	// lingering are endpoints of changes that nobody has seen to be obeyed: they
	// may still answer. unsure says that there was such a change.
	lingering []netip.Addr
	unsure    bool
	// doubtful means that a write failed, and nobody knows what it is now.
	doubtful bool
}

func newChurner(f *inFlight, w *watch.Watcher) (*churner, error) {
	c := f.trial.scenario.Churn
	kinds, err := churn.All(c)
	if err != nil {
		return nil, err
	}
	table, err := f.openTable()
	if err != nil {
		return nil, err
	}
	n := f.population.Services()
	e := &churner{
		f: f, watcher: w, table: table, writing: make(chan struct{}, writers), now: map[int]churn.Service{}, gone: map[netip.AddrPort][]removal{},
		plan: churn.Plan(c, kinds, n, watchedShare(c.Watched), f.random("changes")),
	}
	e.deal(kinds)
	e.noteWatched()
	return e, nil
}

// watchedShare is how many of the changes at a rate are watched: as many as was
// asked for or, if nothing was, as can be.
func watchedShare(asked *float64) func(rate float64) float64 {
	return func(rate float64) float64 {
		if asked != nil {
			return *asked
		}
		return min(1, watchedAtOnce/(rate*typicalWatch.Seconds()))
	}
}

// noteWatched says how many changes are watched, if not all are.
func (e *churner) noteWatched() {
	watched := 0
	for _, p := range e.plan {
		if p.Watched {
			watched++
		}
	}
	if watched < len(e.plan) {
		e.f.note("%d of %d changes were watched by traffic, drawn at random", watched, len(e.plan))
	}
	for _, p := range e.pools {
		if n := p.group(); n > watchedAtOnce {
			e.f.note("%s changes %d Services at once, of which %d are watched", p.kind.Name, n, watchedAtOnce)
		}
	}
}

// interval is the time between two connections of a watch that begins now: longer
// where many are under way, so that slow modes are not made slower by being watched.
// The function ends the watch.
func (e *churner) interval() (interval time.Duration, end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.under++
	interval = max(watch.DefaultInterval, e.f.probeInterval)
	interval *= time.Duration(max(1, (e.under+watchedAtOnce-1)/watchedAtOnce))
	e.slow = max(e.slow, interval)
	return interval, sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.under--
	})
}

// deal deals the Services that may be changed out to the kinds, in the same order
// in every mode; only the Services at the positions, which are other ones in each,
// are left out.
func (e *churner) deal(kinds []churn.Kind) {
	c, p := e.f.trial.scenario.Churn, e.f.population
	hands := make([][]*changed, len(kinds))
	for n, i := range e.f.churnable() {
		k := n % len(kinds)
		hands[k] = append(hands[k], &changed{Service: churn.First(p, i)})
	}
	rate := slices.Max(c.Steps()) / float64(len(kinds))
	for k, kind := range kinds {
		group := kind.Group(c, p.Services())
		if group > len(hands[k]) {
			e.f.warn("programming", "%s changes %d Services at once and not %d: others are at the positions, or are changed by other kinds", kind.Name, len(hands[k]), group)
		}
		hand := hands[k][:kind.Pool(c, rate, len(hands[k]), group)]
		groups := slices.Collect(slices.Chunk(hand, max(1, min(group, len(hand)))))
		if n := len(groups); n > 1 && len(groups[n-1]) < len(groups[0]) {
			groups = groups[:n-1] // every change is as large as the others
		}
		one := &pool{kind: kind, idle: make(chan []*changed, len(groups))}
		for _, g := range groups {
			one.idle <- g
			one.size += len(g)
			one.left += len(g)
			for _, s := range g {
				if kind.Silences {
					e.silenced = append(e.silenced, s.Index)
				} else {
					e.touched = append(e.touched, s.Index)
				}
			}
		}
		e.pools = append(e.pools, one)
	}
}

var _ changer = (*churner)(nil)

// run makes all changes. One whose Service is not to be had in time is late; it
// does not keep those of other kinds waiting.
func (e *churner) run(ctx context.Context, begin int64) error {
	g, ctx := errgroup.WithContext(ctx)
	for k, p := range e.pools {
		var mine []churn.Change
		var due []time.Duration
		for _, planned := range e.plan {
			if planned.Kind == k {
				mine, due = append(mine, planned), append(due, planned.At)
			}
		}
		if len(mine) > 0 && p.size == 0 {
			return fmt.Errorf("no Service is left for %s: %d Services are too few", p.kind.Name, e.f.population.Services())
		}
		g.Go(func() error {
			return onSchedule(ctx, begin, due, p.idle, func(ctx context.Context, n int, group []*changed, at int64) error {
				return e.change(ctx, p, mine[n], group, at)
			})
		})
	}
	return g.Wait()
}

// changes are those that were made. They are also what the population is from now
// on.
func (e *churner) changes() []results.Change {
	for i, s := range e.now {
		e.f.changed[i] = s
	}
	if e.slow > watch.DefaultInterval {
		e.f.note("changes were watched by a connection every %v, where many were under way or the processor is emulated, and every %v else", e.slow, max(watch.DefaultInterval, e.f.probeInterval))
	}
	if e.table != nil && !slices.ContainsFunc(e.made, func(c results.Change) bool { return c.Programmed != 0 }) {
		e.f.missing(results.ProgrammingTable, "no change was seen in the kernel's tables")
	}
	return e.made
}

// removals are the endpoints that changes removed.
func (e *churner) removals() map[netip.AddrPort][]removal { return e.gone }

// planned is how many writes there are in all.
func (e *churner) planned() int {
	n := 0
	for _, p := range e.plan {
		n += e.pools[p.Kind].group() * e.pools[p.Kind].kind.Writes
	}
	return n
}

// affected are the Services of the pools.
func (e *churner) affected() (changed, silenced []int) { return e.touched, e.silenced }

// group is how many Services one change takes.
func (p *pool) group() int { return p.size / max(1, cap(p.idle)) }

// close closes the tables.
func (e *churner) close() {
	if e.table != nil {
		_ = e.table.Close() // they were only read
	}
}
