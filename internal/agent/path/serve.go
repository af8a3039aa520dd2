package path

import (
	"context"
	"errors"
	"fmt"
	"io"

	"svcbench/internal/agent"
)

// Serve is the agent's end: it attaches the programs in the network namespace
// of the calling thread and answers the runner until that closes its end or
// ctx is cancelled. Then nothing of the probe is left in the kernel.
//
// The caller tells the runner of an error that Serve returns. That the place
// cannot take the measurement is not one: Serve tells that by itself.
func Serve(ctx context.Context, c *agent.Conn) error { return serve(ctx, c, methods()) }

func serve(ctx context.Context, c *agent.Conn, ways []method) (err error) {
	var spec Spec
	if err := c.Receive(&spec); err != nil {
		return fmt.Errorf("path probe: wait for what to measure: %w", err)
	}
	r, hello, detach, err := start(spec, ways)
	if unsupported, ok := errors.AsType[*UnsupportedError](err); ok {
		return c.Send(greeting{Unsupported: &Unsupported{Because: unsupported.Because}})
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, detach.Close()) }()
	if err := c.Send(greeting{Attached: &hello}); err != nil {
		return err
	}
	return answer(ctx, c, r)
}

// start loads and attaches the programs, having measured what they cost while
// the node is still idle. What it returns last undoes it.
func start(spec Spec, ways []method) (*recorder, Attached, io.Closer, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, Attached{}, nil, err
	}
	var hello Attached
	costs, err := Cost(spec.Protocol)
	switch {
	case err == nil:
		hello.OwnCost = &costs
	case !errors.Is(err, ErrUnsupported): // a cost that cannot be known is no reason not to measure
		return nil, Attached{}, nil, err
	}
	r, err := load(spec.RingBytes)
	if err != nil {
		return nil, Attached{}, nil, err
	}
	how, attached, err := attach(spec, r, ways)
	if err != nil {
		return nil, Attached{}, nil, errors.Join(err, r.Close())
	}
	hello.How = how
	return r, hello, closers{r, attached}, nil
}

// answer carries out the runner's commands, one at a time.
func answer(ctx context.Context, c *agent.Conn, r *recorder) error {
	next := listen(ctx, c)
	for {
		var got request
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case got = <-next:
		}
		if errors.Is(got.err, io.EOF) {
			return nil
		}
		if got.err != nil {
			return fmt.Errorf("path probe: wait for a command: %w", got.err)
		}
		reply, err := r.obey(got.command)
		if err != nil {
			return err
		}
		if err := c.Send(reply); err != nil {
			return err
		}
	}
}

// obey carries out one command and returns the answer to it.
func (r *recorder) obey(c command) (any, error) {
	switch c {
	case commandCollect:
		return r.collect()
	case commandReset:
		_, err := r.collect()
		return done{}, err
	}
	return nil, fmt.Errorf("path probe: unknown command %q", c)
}

// request is a command, or why there will be no more.
type request struct {
	command command
	err     error
}

// listen receives commands in the background, because a read of standard input
// does not end when ctx does. It stops at the first error.
func listen(ctx context.Context, c *agent.Conn) <-chan request {
	out := make(chan request)
	go func() {
		for {
			var got request
			got.err = c.Receive(&got.command)
			select {
			case out <- got:
			case <-ctx.Done():
				return
			}
			if got.err != nil {
				return
			}
		}
	}()
	return out
}
