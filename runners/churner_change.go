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
	// timeout is when it is given up because the next move would be taken for it;
	// 0 if none would.
	timeout time.Duration
	seen    []<-chan watch.Seen // none if it is not watched
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
		g.Go(func() error { return e.moveAll(changing, p, e.prepare(moves, s, first, planned.Rate, due), watched) })
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
		all[i] = &oneMove{Move: m, service: s, programmed: neverProgrammed, change: results.Change{
			ID: first + i + 1, Kind: m.Kind, Service: e.f.population.Name(s.Index), Due: due + m.Delay.Nanoseconds(),
		}}
		if i > 0 && !m.Silent() {
			all[i-1].timeout = m.Delay - all[i-1].Delay
		}
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
// traffic has seen all of them or they were given up. Each is recorded, also when
// one before it fails.
func (e *churner) moveAll(ctx context.Context, p *pool, moves []*oneMove, watched bool) error {
	ctx, cancel := context.WithCancel(ctx) // ends the watches
	defer cancel()
	for i, m := range moves {
		if i > 0 { // as long after the one before it as it should be, if that was late
			m.change.Due = moves[i-1].change.Sent + (m.Delay - moves[i-1].Delay).Nanoseconds()
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
			if err := e.followAll(ctx, moves[:i]); err != nil {
				return err
			}
			return e.doubt(p, m, moves[i+1:])
		}
		m.service.Service = m.After
	}
	return e.followAll(ctx, moves)
}

// followAll completes moves that were written, and records them.
func (e *churner) followAll(ctx context.Context, moves []*oneMove) error {
	for i, m := range moves {
		var before *oneMove
		if i > 0 {
			before = moves[i-1]
		}
		if err := e.follow(ctx, m, before); err != nil {
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

// follow completes a move that was written, and records it. before is the one that
// was written to the Service just before it, nil if that was long ago.
func (e *churner) follow(ctx context.Context, m, before *oneMove) (err error) {
	switch {
	case m.Silent():
		m.change.Unseen, m.change.GaveUp = results.UnseenSilent, agent.Now()
	case len(m.seen) == 0:
		m.change.Unseen, m.change.GaveUp = results.UnseenNotWatched, agent.Now()
		m.service.leave(m, false)
	default:
		if err := e.observe(ctx, m, before); err != nil {
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
	if m.vanishes() {
		e.gone[m.From] = append(e.gone[m.From], removal{sent: m.change.Sent, old: m.Old})
	}
	return nil
}

// leave remembers whether a move was seen to be obeyed.
func (s *changed) leave(m *oneMove, obeyed bool) {
	if obeyed {
		s.lingering, s.unsure = nil, false
		return
	}
	s.unsure = true
	if !m.Dark { // else they do not answer for long
		s.lingering = append(s.lingering, m.Old...)
	}
}

// vanishes reports whether the old endpoints of a move are gone for good.
func (m *oneMove) vanishes() bool {
	return len(m.Old) > 0 && (m.Dark || m.Ends && m.change.OldSettled != 0)
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

// doubt records a change whose write failed, and the others that are not written for
// that. Nobody knows what its Service is now, so that it is not changed again. When
// that is so for many, it is no measurement any more.
func (e *churner) doubt(p *pool, m *oneMove, others []*oneMove) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	m.change.GaveUp = agent.Now()
	e.made = append(e.made, m.change)
	for _, o := range others {
		o.change.Unseen, o.change.GaveUp = results.UnseenNotSent, m.change.GaveUp
		e.made = append(e.made, o.change)
	}
	e.now[m.service.Index] = churn.Service{Index: m.service.Index, Addr: m.service.Addr}
	m.service.doubtful = true
	e.doubts++
	p.left--
	if all := e.planned(); e.doubts > all/10 || p.left == 0 {
		return fmt.Errorf("%d of %d changes could not be written, the last (%s) because: %s", e.doubts, all, m.Kind, m.change.Error)
	}
	return nil
}
