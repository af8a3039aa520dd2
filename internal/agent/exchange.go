package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Exchange is the runner's half of an instrument that is told everything at
// once and answers once: it starts the named agent, sends it spec and waits
// for its answer. The agent has ended when Exchange returns.
func Exchange[A any](ctx context.Context, l Launcher, name string, spec any) (answer *A, err error) {
	s, err := l.Launch(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("start agent %q: %w", name, err)
	}
	defer func() {
		if err != nil {
			answer, err = nil, fmt.Errorf("agent %q: %w", name, Cause(ctx, s, err))
			return
		}
		_ = s.Close() // it has answered; how it ends does not matter
	}()
	c := NewConn(s, s)
	if err := c.Send(spec); err != nil {
		return nil, err
	}
	answer = new(A)
	if err := c.Receive(answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// Cause closes s after talking to it failed with err, and returns the best
// explanation there is: that ctx, under which s was launched, has ended; what
// the agent said; or how it ended.
func Cause(ctx context.Context, s Session, err error) error {
	ended := s.Close()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, said := errors.AsType[*RemoteError](err); said {
		return err
	}
	if ended != nil {
		return ended
	}
	if errors.Is(err, io.EOF) {
		return errors.New("ended without a word")
	}
	return err
}

// Answer is the agent's half of Exchange: it receives what to do, does it on
// the calling goroutine and sends the answer. The context of do ends when the
// runner is gone, so that no agent outlives its runner.
func Answer[S, A any](ctx context.Context, c *Conn, do func(context.Context, S) (A, error)) error {
	var spec S
	if err := c.Receive(&spec); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // the runner changed its mind
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		var nothing struct{}
		for c.Receive(&nothing) == nil { // nothing more is expected but the end
		}
		cancel()
	}()
	answer, err := do(ctx, spec)
	if err != nil {
		return err
	}
	return c.Send(answer)
}
