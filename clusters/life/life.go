// Package life is what the clusters of all providers have in common while they
// come up, live and end: steps, parts whose end is the cluster's, and one reason
// for it.
package life

import (
	"context"
	"fmt"
	"sync"

	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
)

// Life is that of one cluster. Its methods are safe for concurrent use.
type Life struct {
	blame func(error) error
	died  chan struct{} // closed when a part has ended by itself
	over  chan struct{} // closed by End

	mu    sync.Mutex
	calm  bool // parts may end
	ended bool
	err   error
}

// New begins a life. blame explains why a part has ended, where more can be known
// than the part says itself; nil adds nothing.
func New(blame func(error) error) *Life {
	if blame == nil {
		blame = func(err error) error { return err }
	}
	return &Life{blame: blame, died: make(chan struct{}), over: make(chan struct{})}
}

// Step is a part of bringing up a cluster.
type Step struct {
	What string
	Do   func(context.Context) error
}

// Climb takes steps in their order, and tells of each before it is taken; nil tells
// nobody.
func Climb(ctx context.Context, steps []Step, tell func(what string)) error {
	for _, s := range steps {
		if tell != nil {
			tell(s.What)
		}
		if err := s.Do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.What, err)
		}
	}
	return nil
}

// Watch makes the cluster die when a part does: when done is closed, for the reason
// that why returns. What ends after forget was called is no death.
func (l *Life) Watch(done <-chan struct{}, why func() error, what string) (forget func()) {
	forgotten := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-forgotten:
			return
		case <-l.over:
			return
		}
		err := why()
		if err == nil {
			err = fmt.Errorf("%s ended by itself", what)
		}
		select {
		case <-forgotten: // both at once
		default:
			l.Die(l.blame(err))
		}
	}()
	return sync.OnceFunc(func() { close(forgotten) })
}

// Die makes err the reason why the cluster died, unless it has died already or its
// parts may end. Without a reason there is no death.
func (l *Life) Die(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calm || l.err != nil || err == nil {
		return
	}
	l.err = err
	close(l.died)
}

// Died is closed when the cluster has lost one of its parts.
func (l *Life) Died() <-chan struct{} { return l.died }

// Err says which part ended by itself, and why.
func (l *Life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Calm lets parts end from now on.
func (l *Life) Calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calm = true
}

// End is the beginning of the removal. It returns false if that has begun before.
func (l *Life) End() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.calm, l.ended = true, true
	close(l.over)
	return true
}

// Over is closed when the removal begins.
func (l *Life) Over() <-chan struct{} { return l.over }

// Context returns a context that also ends when the cluster dies, for the reason of
// that.
func (l *Life) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-l.died:
			cancel(l.Err())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// StartBackends starts what answers on every pod IP, and watches it. Once it has
// started it lives as long as the cluster, not as ctx.
func (l *Life) StartBackends(ctx context.Context, place agent.Launcher, spec backend.Spec) (*backend.Backend, error) {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	started := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer started()
	b, err := backend.Start(life, place, spec)
	if err != nil {
		return nil, err
	}
	l.Watch(b.Gone(), b.Err, "the backends")
	return b, nil
}
