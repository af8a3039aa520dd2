package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/churn"
)

// watch begins to watch for a move, with traffic and in the kernel's tables.
func (e *churner) watch(ctx context.Context, m *oneMove) error {
	interval, end := e.interval()
	context.AfterFunc(ctx, end)
	for i, c := range e.commands(m, interval) {
		c.ID = 2*m.change.ID + i
		seen, err := e.watcher.Watch(ctx, c)
		if err != nil {
			return err
		}
		m.seen = append(m.seen, seen)
	}
	m.programmed = e.programmed(ctx, m.After)
	return nil
}

// commands are what traffic is to watch for: one for each address.
func (e *churner) commands(m *oneMove, interval time.Duration) []watch.Command {
	timeout := e.f.trial.scenario.Churn.Timeout.Std()
	if m.timeout != 0 {
		timeout = min(timeout, m.timeout)
	}
	both := watch.Command{
		Addr: m.From, Protocol: e.f.protocol(), Old: slices.Concat(m.Old, m.service.lingering), New: m.New, Stay: m.Stay, Dark: m.Dark,
		Interval: interval, Timeout: preRoll + m.Ahead + timeout,
	}
	both.Old = slices.DeleteFunc(both.Old, func(ip netip.Addr) bool {
		return slices.Contains(m.Stay, ip) || m.From == m.To && slices.Contains(m.New, ip)
	})
	if m.From == m.To {
		return []watch.Command{both}
	}
	old, fresh := both, both
	old.New, fresh.Old, fresh.Addr = nil, nil, m.To
	return []watch.Command{old, fresh}
}

// observe completes a move that was watched. before is the one that was written to
// the Service just before it, nil if that was long ago.
func (e *churner) observe(ctx context.Context, m, before *oneMove) error {
	s, err := observe(ctx, &m.change, e.watcher, m.seen...)
	if err != nil {
		return err
	}
	if m.change.Programmed, err = m.programmed(); err != nil {
		return fmt.Errorf("look for change %d: %w", m.change.ID, err)
	}
	obeyed := m.obeyed()
	switch early := m.change.FirstNew != 0 && m.change.FirstNew < m.change.Sent; {
	case before != nil && !before.obeyed(), early && (before != nil || m.service.unsure),
		m.service.unsure && len(m.Old) > 0 && !s.sawOld && !m.Dark:
		// There is nothing to see where nothing had been done yet.
		m.change.Error, m.change.Unseen = "", results.UnseenMoot
	case m.change.GaveUp <= m.change.Sent: // the write had to wait for too long
		m.change.Unseen = results.UnseenNotWatched
	case m.timeout != 0 && !obeyed:
		m.change.Unseen = results.UnseenOvertaken
	}
	m.service.leave(m, obeyed && m.change.Unseen == "" && m.change.Error == "")
	return nil
}

// obeyed reports whether traffic was seen to obey a move.
func (m *oneMove) obeyed() bool {
	return (len(m.New) == 0 || m.change.FirstNew != 0) && (len(m.Old) == 0 || m.change.OldSettled != 0)
}

// programmed begins to look at the kernel's tables until they lead to a Service as
// it should be. The function that it returns ends that, and says when they did; 0
// if they have not yet, or cannot be looked up. It must be called before the tables
// are closed, and may be called again.
func (e *churner) programmed(ctx context.Context, s churn.Service) func() (int64, error) {
	if e.table == nil {
		return neverProgrammed
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var at int64
	var err error
	go func() {
		defer close(ended)
		var want []netip.Addr
		if !s.Deleted {
			want = s.Endpoints
		}
		at, err = awaitTable(ctx, e.table, s.Addr, e.f.trial.scenario.Population.Protocol, want)
	}()
	return func() (int64, error) {
		cancel()
		<-ended
		return at, err
	}
}

func neverProgrammed() (int64, error) { return 0, nil }

// outcome is what else was seen of a change.
type outcome struct {
	newFrom netip.Addr // the new endpoint that was the first to answer; invalid for none
	sawOld  bool       // an old one answered, before or after the write
}

// observe waits until it has been seen with traffic what became of a change,
// and completes it. If there are two watches, the first is for old endpoints and the
// second for new ones.
func observe(ctx context.Context, change *results.Change, w *watch.Watcher, all ...<-chan watch.Seen) (o outcome, err error) {
	change.Errors = map[string]int64{}
	for i, seen := range all {
		var s watch.Seen
		select {
		case <-ctx.Done():
			return o, context.Cause(ctx)
		case one, ok := <-seen:
			if !ok {
				return o, fmt.Errorf("watch change %d: %w", change.ID, silence(ctx, w))
			}
			s = one
		}
		if s.NewFrom.IsValid() {
			o.newFrom = s.NewFrom
		}
		o.sawOld = o.sawOld || s.LastOld != 0
		if i > 0 { // it knows of new endpoints only
			s.OldSettled = 0
		}
		merge(change, s)
	}
	// Who asked a little earlier can still be answered by the new state.
	earliest := change.Sent - watch.DefaultAttemptTimeout.Nanoseconds()
	if change.FirstNew != 0 && change.FirstNew < earliest || change.FirstNew == 0 && change.OldSettled != 0 && change.OldSettled < change.Sent {
		change.Error = beforehand
	}
	return o, nil
}

// merge adds to a change what one watch has seen of it. The watch began before
// the write.
func merge(change *results.Change, s watch.Seen) {
	if s.FirstNew != 0 {
		change.FirstNew = s.FirstNew
	}
	if s.LastOld >= change.Sent {
		change.LastOld = max(change.LastOld, s.LastOld)
	}
	if s.LastFailed >= change.Sent {
		change.LastFailed = max(change.LastFailed, s.LastFailed)
	}
	change.OldSettled = max(change.OldSettled, s.OldSettled)
	change.GaveUp = max(change.GaveUp, s.GaveUp)
	change.Probes += s.Probes
	for kind, n := range s.Errors {
		change.Errors[kind] += n
	}
}

// beforehand is what is wrong with a change that connections seemed to obey before it
// was written: something else made them, or they were stalled.
const beforehand = "connections behaved as after the change before it was written"

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
