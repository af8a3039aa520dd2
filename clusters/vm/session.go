package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"svcbench/clusters/vm/wire"
	"svcbench/internal/failure"
	"svcbench/internal/process"
)

const (
	// beatEvery is how often a guest says that it lives, by its own clock. A
	// second of the instruction clock in which the guest is busy may take the
	// host a minute, if that is busy as well.
	beatEvery = time.Second
	// silence is how long nothing may be heard of a guest before it counts
	// as hung, and patience the same with the instruction clock.
	silence, patience = 3 * time.Minute, 15 * time.Minute
	// farewell is how long a machine may take to power off once its job has
	// ended.
	farewell = 30 * time.Second
	// grace is how long an interrupted job may take to clean up.
	grace = 2 * time.Minute
)

// session is a machine that runs.
type session struct {
	qemu     *process.Process
	hardware hardware
	job      Job
	silence  time.Duration
	began    time.Time
	conn     *wire.Conn
	messages chan wire.Message // closed when QEMU has closed the port
	done     chan struct{}     // closed by kill

	ended bool // the job has
	code  int
	err   error // why it could not be done
}

func newSession(qemu *process.Process, h hardware, job Job, silence time.Duration) *session {
	s := &session{
		qemu: qemu, hardware: h, job: job, silence: silence, began: time.Now(),
		conn: wire.NewConn(qemu), messages: make(chan wire.Message), done: make(chan struct{}),
	}
	go s.receive()
	return s
}

// receive passes messages on until the port is closed.
func (s *session) receive() {
	defer close(s.messages)
	for {
		m, err := s.conn.Receive()
		if err != nil {
			return // follow finds out what has become of QEMU
		}
		select {
		case s.messages <- m:
		case <-s.done:
			return
		}
	}
}

// kill ends the machine, however far it is.
func (s *session) kill() {
	close(s.done)
	s.qemu.Stop(0)
}

// follow follows a machine to its end.
func (s *session) follow(ctx context.Context) (int, error) {
	limit := time.NewTimer(s.silence)
	defer limit.Stop()
	interrupt, stopping := ctx.Done(), false
	for {
		select {
		case m, ok := <-s.messages:
			if !ok {
				return s.result(ctx)
			}
			if err := s.take(m); err != nil {
				return 0, err
			}
			switch {
			case s.ended:
				limit.Reset(farewell)
			case !stopping: // else the grace goes on
				limit.Reset(s.silence)
			}
		case <-interrupt:
			interrupt, stopping = nil, true
			_ = s.conn.Send(wire.Message{Kind: wire.Stop}) // a guest that cannot hear is killed
			limit.Reset(grace)
		case <-limit.C:
			if s.ended {
				return s.result(ctx)
			}
			if cause := context.Cause(ctx); cause != nil {
				return 0, fmt.Errorf("the VM did not end within %v: %w", grace, cause)
			}
			return 0, s.broken(fmt.Errorf("the VM hangs: nothing was heard of it for %v", s.silence))
		}
	}
}

// take handles one message.
func (s *session) take(m wire.Message) error {
	switch m.Kind {
	case wire.Started:
		if s.job.Started != nil {
			s.job.Started(time.Since(s.began))
		}
	case wire.Output:
		to := s.job.Stdout
		if m.Stream == wire.Stderr {
			to = s.job.Stderr
		}
		if to == nil {
			return nil
		}
		if _, err := to.Write(m.Data); err != nil {
			return fmt.Errorf("print what the VM says: %w", err)
		}
	case wire.Ended:
		s.ended, s.code = true, m.Code
	case wire.Failed:
		s.ended, s.err = true, errors.New(m.Text)
	}
	return nil
}

// result is how the machine ended that has closed its port.
func (s *session) result(ctx context.Context) (int, error) {
	switch {
	case s.err != nil:
		return 0, s.broken(fmt.Errorf("the VM cannot do its job: %w", s.err))
	case s.ended:
		return s.code, nil
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	}
	s.qemu.Stop(time.Second)
	if err := s.qemu.Err(); err != nil {
		return 0, s.broken(fmt.Errorf("the VM crashed: %w", err))
	}
	return 0, s.broken(errors.New("the VM crashed"))
}

// broken adds what the guest's kernel said last.
func (s *session) broken(err error) error {
	if said := lastWords(s.hardware.console); said != "" {
		err = fmt.Errorf("%w; the end of its console:\n%s", err, said)
	}
	return failure.New(failure.Environment, err, "the whole console is in "+s.hardware.console)
}

// lastWords are the last lines of a console, from where the kernel panicked if
// it has.
func lastWords(console string) string {
	const shown = 12 // lines
	b, err := os.ReadFile(console)
	if err != nil {
		return ""
	}
	text := strings.ToValidUTF8(string(bytes.ReplaceAll(b, []byte("\r"), nil)), "?")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if strings.Contains(line, "Kernel panic") {
			return strings.Join(lines[i:min(i+shown, len(lines))], "\n")
		}
	}
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}
