package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"svcbench/internal/agent"
)

// Backend is a running backend agent seen from the runner. Its methods are
// safe for concurrent use.
type Backend struct {
	session agent.Session
	conn    *agent.Conn
	gone    chan struct{}
	reading sync.WaitGroup

	sending sync.Mutex // one line at a time

	mu      sync.Mutex
	next    int
	answers map[int]chan changed
	closed  bool
	err     error // why gone was closed
}

// Start starts the agent and returns when all ports are open. The agent ends
// with ctx or Close.
func Start(ctx context.Context, l agent.Launcher, spec Spec) (*Backend, error) {
	session, err := l.Launch(ctx, Name)
	if err != nil {
		return nil, fmt.Errorf("start backends: %w", err)
	}
	b := &Backend{session: session, conn: agent.NewConn(session, session), gone: make(chan struct{}), answers: map[int]chan changed{}}
	err = b.conn.Send(spec)
	if err == nil {
		err = b.conn.Receive(&listening{})
	}
	if err != nil {
		return nil, fmt.Errorf("start backends: %w", agent.Cause(ctx, session, err))
	}
	b.reading.Go(func() { b.read(ctx) })
	return b, nil
}

// Off makes pod IPs stop answering: packets to them vanish, connections to
// them stall. It returns when that is so; an IP that is off already stays off.
func (b *Backend) Off(ctx context.Context, ips ...netip.Addr) error {
	return b.change(ctx, change{Off: ips})
}

// On makes pod IPs answer again. It returns when that is so; an IP that is on
// already stays on.
func (b *Backend) On(ctx context.Context, ips ...netip.Addr) error {
	return b.change(ctx, change{On: ips})
}

// Gone is closed when the agent has ended, for whatever reason.
func (b *Backend) Gone() <-chan struct{} { return b.gone }

// Err returns why the agent has ended; nil while it runs and after Close.
func (b *Backend) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Close ends the agent and waits for it. It may be called more than once.
func (b *Backend) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	err := b.session.Close()
	b.reading.Wait()
	if err != nil {
		return fmt.Errorf("backends: %w", err)
	}
	return nil
}

func (b *Backend) change(ctx context.Context, ch change) error {
	if len(ch.Off) == 0 && len(ch.On) == 0 {
		return nil
	}
	answer := make(chan changed, 1)
	b.mu.Lock()
	b.next++
	ch.ID = b.next
	b.answers[ch.ID] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.answers, ch.ID)
	}()

	b.sending.Lock()
	err := b.conn.Send(ch)
	b.sending.Unlock()
	if err != nil {
		return fmt.Errorf("switch pod IPs: %w", err)
	}
	select {
	case a := <-answer:
		if a.Error != "" {
			return &agent.RemoteError{Message: a.Error}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("switch pod IPs: %w", context.Cause(ctx))
	case <-b.gone:
		if err := b.Err(); err != nil {
			return fmt.Errorf("switch pod IPs: %w", err)
		}
		return errors.New("switch pod IPs: backends are closed")
	}
}

// read passes answers on until the agent is gone.
func (b *Backend) read(ctx context.Context) {
	defer close(b.gone)
	for {
		var a changed
		if err := b.conn.Receive(&a); err != nil {
			err = agent.Cause(ctx, b.session, err)
			b.mu.Lock()
			defer b.mu.Unlock()
			if !b.closed {
				b.err = fmt.Errorf("backends: %w", err)
			}
			return
		}
		b.mu.Lock()
		if answer, ok := b.answers[a.ID]; ok {
			answer <- a // has room for the only one
		}
		b.mu.Unlock()
	}
}
