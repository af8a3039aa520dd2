package watch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"svcbench/internal/agent"
	"svcbench/internal/agent/probe"
)

const (
	// overlap is how many connections of one watch may be under way at most.
	overlap = 1024
	// limit is how many connections of all watches may be under way.
	limit = 4096
)

// Serve is the agent: it connects from the network namespace of the calling
// thread until the runner is gone or ctx ends.
func Serve(ctx context.Context, c *agent.Conn) (err error) {
	loop, err := probe.NewLoop(limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// Only the loop touches the watches and sends, so nothing needs a lock.
	w := &watches{loop: loop, conn: c, fail: cancel, targets: map[int]*probe.Target{}}
	gone := make(chan error, 1)
	go func() {
		err := receive(c, func(r request) { loop.Do(func() { w.obey(r) }) })
		gone <- err
		cancel(err)
	}()
	if err := loop.Run(ctx); err != nil {
		return err
	}
	if w.failed != nil {
		return w.failed
	}
	select {
	case err := <-gone:
		return err
	default:
		return nil // ctx has ended
	}
}

// receive hands on requests until the runner is gone, which is no error.
func receive(c *agent.Conn, obey func(request)) error {
	for {
		var r request
		if err := c.Receive(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("watch: %w", err)
		}
		obey(r)
	}
}

// watches are the watches of one agent.
type watches struct {
	loop    *probe.Loop
	conn    *agent.Conn
	targets map[int]*probe.Target
	fail    context.CancelCauseFunc
	failed  error // why nothing can be sent any more
}

// obey does what the runner asks for.
func (w *watches) obey(r request) {
	if r.Cancel != nil {
		w.end(*r.Cancel)
	}
	if r.Watch == nil {
		return
	}
	if err := w.begin(*r.Watch); err != nil {
		w.send(event{ID: r.Watch.ID, Rejected: err.Error()})
	}
}

// begin starts a watch.
func (w *watches) begin(c Command) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	if _, ok := w.targets[c.ID]; ok {
		return errors.New("another watch has this ID")
	}
	o := newObservation(c, agent.Now())
	t := &probe.Target{Addr: c.Addr, Protocol: c.Protocol, Interval: c.Interval, Timeout: c.AttemptTimeout, Overlap: c.overlap()}
	t.Tick = func(now int64) {
		if now >= o.long && t.Interval < LongInterval {
			t.Interval = LongInterval
			o.pace(t.Interval)
		}
		w.look(o, t, now)
	}
	t.Done = func(out probe.Outcome) {
		o.add(out)
		if o.seen.Probes == 1 {
			w.send(event{ID: c.ID, Watching: true})
		}
		w.look(o, t, out.End)
	}
	if err := w.loop.Add(t); err != nil {
		return err
	}
	w.targets[c.ID] = t
	return nil
}

// overlap is how many connections are under way when all of them hang: with
// so many, hung ones never keep the next from starting.
func (c Command) overlap() int {
	return int(min(overlap, c.AttemptTimeout/c.Interval+1))
}

// look ends the watch and tells what was seen if there is nothing more to see.
func (w *watches) look(o *observation, t *probe.Target, now int64) {
	// Before the first connection has ended the runner has not begun to wait
	// for what was seen.
	if o.seen.Probes > 0 && o.over(now, t.OldestOpen()) {
		w.end(o.seen.ID)
		w.send(event{ID: o.seen.ID, Seen: &o.seen})
	}
}

// end stops a watch; one that has ended already stays so.
func (w *watches) end(id int) {
	if t, ok := w.targets[id]; ok {
		w.loop.Remove(t)
		delete(w.targets, id)
	}
}

func (w *watches) send(e event) {
	if w.failed != nil {
		return
	}
	if err := w.conn.Send(e); err != nil {
		w.failed = fmt.Errorf("watch: %w", err)
		w.fail(w.failed)
	}
}
