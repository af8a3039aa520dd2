package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"svcbench/internal/agent"
)

// Serve is the agent: it answers in the network namespace of the calling
// thread until the runner is gone or ctx ends. Pod IPs that are off by then
// are switched on again.
func Serve(ctx context.Context, c *agent.Conn) (err error) {
	var spec Spec
	if err := c.Receive(&spec); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // the runner changed its mind
		}
		return err
	}
	switches, err := newSwitches()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, switches.close()) }()

	s, err := listen(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := c.Send(listening{}); err != nil {
		return err
	}

	changes := make(chan change)
	gone := make(chan error, 1)
	done := make(chan struct{})
	defer close(done)
	go func() { gone <- receive(c, changes, done) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-gone:
			return err
		case err := <-s.failed:
			return err
		case ch := <-changes:
			answer := changed{ID: ch.ID}
			if err := errors.Join(switches.off(ch.Off), switches.on(ch.On)); err != nil {
				answer.Error = err.Error()
			}
			if err := c.Send(answer); err != nil {
				return err
			}
		}
	}
}

// receive hands on what the runner asks for until it is gone, which is no
// error.
func receive(c *agent.Conn, changes chan<- change, done <-chan struct{}) error {
	for {
		var ch change
		if err := c.Receive(&ch); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("backend: %w", err)
		}
		select {
		case changes <- ch:
		case <-done:
			return nil
		}
	}
}
