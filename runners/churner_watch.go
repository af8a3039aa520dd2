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
	for i, c := range e.commands(m) {
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
func (e *churner) commands(m *oneMove) []watch.Command {
	both := watch.Command{
		Addr: m.From, Protocol: e.f.protocol(), Old: slices.Concat(m.Old, m.service.lingering), New: m.New, Stay: m.Stay, Dark: m.Dark(),
		Interval: e.interval(), Timeout: preRoll + m.Delay + e.f.trial.scenario.Churn.Timeout.Std(),
	}
	both.Old = slices.DeleteFunc(both.Old, func(ip netip.Addr) bool {
		return slices.Contains(m.Stay, ip) || m.From == m.To && slices.Contains(m.New, ip)
	})
	if m.until != 0 { // the next write would be taken for this one
		both.Timeout = min(both.Timeout, preRoll+time.Duration(m.until-m.change.Due))
	}
	if m.From == m.To {
		return []watch.Command{both}
	}
	old, fresh := both, both
	old.New, fresh.Old, fresh.Addr = nil, nil, m.To
	return []watch.Command{old, fresh}
}

// observe completes a move that was watched.
func (e *churner) observe(ctx context.Context, m *oneMove) (err error) {
	if _, err = observe(ctx, &m.change, e.watcher, m.seen...); err != nil {
		return err
	}
	if m.change.Programmed, err = m.programmed(); err != nil {
		return fmt.Errorf("look for change %d: %w", m.change.ID, err)
	}
	settled := m.change.OldSettled != 0
	switch {
	case m.Kind == churn.FlapUp && m.change.FirstNew != 0 && m.change.FirstNew < m.change.Sent:
		m.change.Error, m.change.Unseen = "", results.UnseenMoot
	case m.until != 0 && !settled:
		m.change.Unseen = results.UnseenOvertaken
	}
	if settled {
		m.service.lingering = nil
	}
	return nil
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

// observe waits until it has been seen with traffic what became of a change,
// completes it, and returns which new endpoint was the first to answer. If there
// are two watches, the first is for old endpoints and the second for new ones.
func observe(ctx context.Context, change *results.Change, w *watch.Watcher, all ...<-chan watch.Seen) (newFrom netip.Addr, err error) {
	change.Errors = map[string]int64{}
	for i, seen := range all {
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
		if s.NewFrom.IsValid() {
			newFrom = s.NewFrom
		}
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
	return newFrom, nil
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
