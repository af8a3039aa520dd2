package runners

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/internal/agent"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/churn"
)

// lead is how long before a change's second write that is watched: long enough to
// see whether the first one was obeyed.
const lead = 20 * time.Millisecond

// oneMove is a move of one Service under way.
type oneMove struct {
	churn.Move
	change  results.Change
	service *changed
	// until is when the next move of the Service comes; 0 if none does.
	until int64
	seen  []<-chan watch.Seen // none if it is not watched
	// programmed ends looking at the kernel's tables; see churner.programmed.
	programmed func() (int64, error)
}

// change makes a change that is due at a time, to a group of Services at once.
func (e *churner) change(ctx context.Context, p *pool, planned churn.Change, group []*changed, due int64) error {
	g, changing := errgroup.WithContext(ctx)
	for n, s := range group {
		moves := p.kind.Moves(e.f.population, e.f.trial.scenario.Churn, s.Service, e.f.population.Spare(planned.Spare+n))
		first := planned.First + n*p.kind.Writes
		watched := planned.Watched && oneOf(n, len(group))
		g.Go(func() error { return e.moveAll(changing, s, e.prepare(moves, s, first, planned.Rate, due), watched) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	group = slices.DeleteFunc(slices.Clone(group), func(s *changed) bool { return s.doubtful })
	if len(group) > 0 {
		p.idle <- group // has room for all groups
	}
	return nil
}

// oneOf reports whether the n-th of a group is among the watchedAtOnce of them that
// are watched, which are spread over it.
func oneOf(n, group int) bool {
	return group <= watchedAtOnce || n*watchedAtOnce/group != (n+1)*watchedAtOnce/group
}

// prepare makes the records of a Service's moves.
func (e *churner) prepare(moves []churn.Move, s *changed, first int, rate float64, due int64) []*oneMove {
	all := make([]*oneMove, len(moves))
	for i, m := range moves {
		at := due + m.Delay.Nanoseconds()
		if i > 0 {
			all[i-1].until = at
		}
		all[i] = &oneMove{Move: m, service: s, change: results.Change{
			ID: first + i + 1, Kind: m.Kind, Service: e.f.population.Name(s.Index), Due: at,
		}}
		all[i].change.Served = len(m.Stay) > 0 || len(m.Old) > 0 && len(m.New) > 0 && m.From == m.To
		if len(e.f.trial.scenario.Churn.Rates) > 0 {
			all[i].change.Rate = rate
		}
		switch {
		case len(m.Old) == 0:
			all[i].change.Only = results.OnlyNew
		case len(m.New) == 0:
			all[i].change.Only = results.OnlyOld
		}
	}
	return all
}

// moveAll makes the moves of a Service one after the other, and returns when
// traffic has seen all of them or they were given up.
func (e *churner) moveAll(ctx context.Context, s *changed, moves []*oneMove, watched bool) error {
	ctx, cancel := context.WithCancel(ctx) // ends the watches
	defer cancel()
	for i, m := range moves {
		m.programmed = neverProgrammed
		if i > 0 { // not before the one before it can have been seen
			if err := waitUntil(ctx, m.change.Due-lead.Nanoseconds()); err != nil {
				return err
			}
		}
		if watched && !m.Silent() {
			if err := e.watch(ctx, m); err != nil {
				return err
			}
			defer m.programmed()
		}
		if err := e.atDue(ctx, m); err != nil {
			return err
		}
		if err := e.write(ctx, m); err != nil {
			return err
		}
		if m.change.Error != "" {
			return e.doubt(m)
		}
		s.Service = m.After
	}
	for _, m := range moves {
		if err := e.follow(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// atDue returns when a move is due, after what happens to endpoints ahead of it.
func (e *churner) atDue(ctx context.Context, m *oneMove) error {
	if err := waitUntil(ctx, m.change.Due-m.Ahead.Nanoseconds()); err != nil {
		return err
	}
	if len(m.Vanish) > 0 {
		if err := e.f.cluster.Backends().Off(ctx, m.Vanish...); err != nil {
			return fmt.Errorf("make pods vanish: %w", err)
		}
	}
	return waitUntil(ctx, m.change.Due)
}

// write writes a move. What the API server says against it is part of the change,
// and no error.
func (e *churner) write(ctx context.Context, m *oneMove) error {
	select {
	case e.writing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-e.writing }()
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	m.change.Sent = agent.Now()
	err := m.Write(limited, e.f.cluster.API())
	answered := agent.Now()
	switch {
	case err == nil:
		m.change.Acked = answered
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		m.change.Error = err.Error()
	}
	return nil
}

// follow completes a move that was written, and records it.
func (e *churner) follow(ctx context.Context, m *oneMove) (err error) {
	if len(m.seen) == 0 {
		m.change.Unseen, m.change.GaveUp = results.UnseenNotWatched, agent.Now()
		if m.Silent() {
			m.change.Unseen = results.UnseenSilent
		}
		m.service.lingering = append(m.service.lingering, m.Old...)
	} else {
		if err := e.observe(ctx, m); err != nil {
			return err
		}
	}
	if err := e.end(ctx, m); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = append(e.made, m.change)
	e.now[m.service.Index] = m.service.Service
	if len(m.Old) > 0 {
		e.gone[m.From] = append(e.gone[m.From], removal{sent: m.change.Sent, old: m.Old})
	}
	return nil
}

// end takes away the pods that a move has replaced, if traffic is known to have
// left them.
func (e *churner) end(ctx context.Context, m *oneMove) error {
	if !m.Ends || m.change.OldSettled == 0 {
		return nil
	}
	if err := e.f.cluster.Backends().Off(ctx, m.Old...); err != nil {
		return fmt.Errorf("take replaced pods away: %w", err)
	}
	return nil
}

// doubt records a change whose write failed. Nobody knows what its Service is now,
// so that it is not changed again. When that is so for many, it is no measurement
// any more.
func (e *churner) doubt(m *oneMove) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	m.change.GaveUp = agent.Now()
	e.made = append(e.made, m.change)
	e.now[m.service.Index] = churn.Service{Index: m.service.Index, Addr: m.service.Addr}
	m.service.doubtful = true
	e.doubts++
	if all := e.planned(); e.doubts > all/10 || e.doubts == e.services() {
		return fmt.Errorf("%d of %d changes could not be written, the last because: %s", e.doubts, all, m.change.Error)
	}
	return nil
}

// services is how many Services are changed in turns.
func (e *churner) services() int {
	n := 0
	for _, p := range e.pools {
		n += p.size
	}
	return n
}
