package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"svcbench/internal/agent"
)

// Watcher is a running watch agent seen from the runner. Its methods are safe
// for concurrent use.
type Watcher struct {
	session agent.Session
	conn    *agent.Conn
	reading sync.WaitGroup

	sending sync.Mutex // one line at a time

	mu      sync.Mutex
	watches map[int]*pending
	closed  bool  // by Close
	ended   bool  // no more watches
	err     error // why, unless closed
}

// pending is a watch under way. Whoever takes it out of Watcher.watches closes
// its channels.
type pending struct {
	begun chan error // gets one value when the watch has begun, or why not
	seen  chan Seen
	stop  func() bool // stops waiting for the end of the caller's context
}

// errClosed is what happens to watches when the Watcher is closed.
var errClosed = errors.New("watcher is closed")

// Start starts the agent, which ends with ctx or Close.
func Start(ctx context.Context, l agent.Launcher) (*Watcher, error) {
	session, err := l.Launch(ctx, Name)
	if err != nil {
		return nil, fmt.Errorf("start watcher: %w", err)
	}
	w := &Watcher{session: session, conn: agent.NewConn(session, session), watches: map[int]*pending{}}
	w.reading.Go(func() { w.read(ctx) })
	return w, nil
}

// Watch begins to watch a change and returns once its first connection has
// ended: what is written to the API from then on is seen. The channel gets one
// value when there is nothing more to see and is then closed; it is closed
// without a value when ctx ends, which cancels the watch, and when the agent
// ends (see Err).
func (w *Watcher) Watch(ctx context.Context, c Command) (<-chan Seen, error) {
	p := &pending{begun: make(chan error, 1), seen: make(chan Seen, 1)}
	if err := w.register(ctx, c.ID, p); err != nil {
		return nil, fmt.Errorf("watch change %d: %w", c.ID, err)
	}
	if err := w.send(request{Watch: &c}); err != nil {
		w.take(c.ID, p)
		return nil, fmt.Errorf("watch change %d: %w", c.ID, errors.Join(err, w.Err()))
	}
	if err := <-p.begun; err != nil {
		return nil, fmt.Errorf("watch change %d: %w", c.ID, err)
	}
	return p.seen, nil
}

// Err returns why the agent has ended; nil while it runs and after Close.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close ends the agent and all watches. It may be called more than once.
func (w *Watcher) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	err := w.session.Close()
	w.reading.Wait()
	if err != nil {
		return fmt.Errorf("watcher: %w", err)
	}
	return nil
}

// register makes room for the answers to a watch, and cancels it with ctx.
func (w *Watcher) register(ctx context.Context, id int, p *pending) error {
	if ctx.Err() != nil { // AfterFunc would find out, but perhaps later than the agent answers
		return context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.ended || w.closed {
		return errClosed
	}
	if _, ok := w.watches[id]; ok {
		return errors.New("another watch has this ID")
	}
	p.stop = context.AfterFunc(ctx, func() {
		if w.take(id, p) {
			p.end(context.Cause(ctx))
			_ = w.send(request{Cancel: &id}) // an agent that is gone watches nothing
		}
	})
	w.watches[id] = p
	return nil
}

// take takes a watch out; it reports whether the caller is the one that did.
func (w *Watcher) take(id int, p *pending) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches[id] != p {
		return false
	}
	delete(w.watches, id)
	p.stop()
	return true
}

// end closes the channels of a watch that was taken out; err is why it did not
// begin, if it has not.
func (p *pending) end(err error) {
	select {
	case p.begun <- err:
	default: // it has begun
	}
	close(p.seen)
}

func (w *Watcher) send(r request) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.conn.Send(r)
}

// read passes events on until the agent is gone.
func (w *Watcher) read(ctx context.Context) {
	for {
		var e event
		if err := w.conn.Receive(&e); err != nil {
			w.finish(agent.Cause(ctx, w.session, err))
			return
		}
		w.mu.Lock()
		p := w.watches[e.ID]
		w.mu.Unlock()
		if p == nil {
			continue // it was cancelled
		}
		switch {
		case e.Watching:
			p.begun <- nil // has room for the only one
		case e.Seen != nil:
			if w.take(e.ID, p) {
				p.seen <- *e.Seen
				p.end(nil)
			}
		default:
			if w.take(e.ID, p) {
				p.end(errors.New(e.Rejected))
			}
		}
	}
}

// finish ends all watches because the agent has ended.
func (w *Watcher) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	err = fmt.Errorf("watcher: %w", err)
	if w.closed {
		err = errClosed
	} else {
		w.err = err
	}
	for id, p := range w.watches {
		delete(w.watches, id)
		p.stop()
		p.end(err)
	}
}
