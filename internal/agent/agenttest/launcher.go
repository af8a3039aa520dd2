// Package agenttest runs agents inside a test: over pipes instead of as
// processes, and in network namespaces that exist only for the test.
package agenttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"svcbench/internal/agent"
)

// Serve is the agent's end of an instrument.
type Serve func(context.Context, *agent.Conn) error

// Launcher runs agents on goroutines of the test, by name.
type Launcher map[string]Serve

var _ agent.Launcher = Launcher(nil)

// Launch starts the agent of that name. Like the program it tells the runner
// why an agent failed.
func (l Launcher) Launch(ctx context.Context, name string) (agent.Session, error) {
	serve, ok := l[name]
	if !ok {
		return nil, fmt.Errorf("no agent %q", name)
	}
	ctx, cancel := context.WithCancel(ctx)
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	s := &session{PipeReader: stdout, stdin: stdin, cancel: cancel, ended: make(chan struct{})}
	// A killed agent reads and writes no more.
	context.AfterFunc(ctx, func() { in.Close(); out.Close() })
	go func() {
		defer close(s.ended)
		defer cancel()
		c := agent.NewConn(in, out)
		if err := serve(ctx, c); err != nil && ctx.Err() == nil {
			s.err = err
			_ = c.Fail(err) // the runner may be gone
		}
	}()
	return s, nil
}

// session is an agent on a goroutine.
type session struct {
	*io.PipeReader
	stdin  *io.PipeWriter
	cancel context.CancelFunc
	once   sync.Once
	ended  chan struct{}
	err    error // set before ended is closed
}

func (s *session) Write(p []byte) (int, error) { return s.stdin.Write(p) }

// Close ends the agent as the end of its standard input does, and waits.
func (s *session) Close() error {
	s.once.Do(func() {
		s.stdin.Close()
		go func() { _, _ = io.Copy(io.Discard, s.PipeReader) }() // let it say its last words
		<-s.ended
		s.cancel()
		s.PipeReader.Close()
	})
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	return s.err
}
