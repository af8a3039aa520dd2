package connect

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/poll"
)

const (
	// maxOpen is the most attempts that may be under way: far more than a
	// healthy run ever has, and fewer than the about 28,000 local ports that
	// Linux has towards one target.
	maxOpen = 16_384
	// spare are the descriptors left to the rest of the process.
	spare = 64
)

// loop makes the attempts. Everything it touches exists before run.
type loop struct {
	schedule schedule
	timeout  int64
	sockets  sockets
	poller   *poll.Poller
	limit    int // of attempts under way

	// attempts are also in the order of their deadlines, because all have
	// the same time-out. Those before oldest have ended, those from next on
	// have not begun.
	attempts     []attempt
	oldest, next int

	open, peak int
	stopped    atomic.Bool
}

// newLoop returns a loop for a correct Spec, with everything but its schedule.
// The caller must close it.
func newLoop(spec Spec) (*loop, error) {
	limit, err := openLimit()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	p, err := poll.New()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &loop{
		timeout:  spec.Timeout.Nanoseconds(),
		sockets:  newSockets(spec),
		poller:   p,
		limit:    limit,
		attempts: spec.plan(),
	}, nil
}

// openLimit returns how many attempts may be under way.
func openLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	if limit.Cur <= 2*spare {
		return 0, fmt.Errorf("the limit of open files (%d) leaves no room for connections", limit.Cur)
	}
	return int(min(limit.Cur-spare, maxOpen)), nil
}

// run makes all attempts and returns when the last has ended. Its sockets
// belong to the network namespace of the calling thread, which the caller has
// locked.
func (l *loop) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		l.stopped.Store(true)
		l.poller.Wake()
	})()
	for l.open > 0 || l.next < len(l.attempts) {
		if l.stopped.Load() {
			return context.Cause(ctx)
		}
		until := poll.Now
		if !l.startDue() {
			until = l.nextEvent()
		}
		if l.open > 0 || until != poll.Now {
			if err := l.look(until); err != nil {
				return fmt.Errorf("connect: %w", err)
			}
		}
		l.expire()
	}
	return nil
}

// startDue starts the next attempt if it is due and reports whether it was.
// Only one at a time, lest the end of another is seen late.
func (l *loop) startDue() bool {
	if l.next == len(l.attempts) {
		return false
	}
	late := agent.Now() - l.schedule.due(l.next)
	if late < 0 {
		return false
	}
	a := &l.attempts[l.next]
	if l.open >= l.limit || late > l.timeout {
		a.state = dropped
	} else {
		l.start(a)
	}
	l.next++
	return true
}

func (l *loop) start(a *attempt) {
	fd, e := l.sockets.open(a.target, agent.Now())
	if e != 0 {
		a.start = agent.Now()
		a.fail(e)
		return
	}
	a.fd = int32(fd)
	l.open++
	l.peak = max(l.peak, l.open)

	a.start = agent.Now()
	e = l.sockets.begin(fd, a.target, l.next)
	end := agent.Now()
	a.call, a.state = end-a.start, open
	settled := true
	if e == unix.EINPROGRESS {
		if settled, e = l.sockets.settled(fd); !settled {
			e = errno(l.poller.Add(fd, l.sockets.events(), int32(l.next)))
		}
	}
	if settled || e != 0 {
		l.settle(a, e, end)
	}
}

// settle ends an attempt that is over since at.
func (l *loop) settle(a *attempt, e unix.Errno, at int64) {
	if e == 0 {
		a.establish(at, l.timeout)
	} else {
		a.fail(e)
	}
	l.close(a, e == 0)
}

func (l *loop) close(a *attempt, connected bool) {
	l.sockets.close(int(a.fd), connected)
	l.open--
}

// nextEvent returns when the loop must act again if nothing happens before;
// there is something left to do.
func (l *loop) nextEvent() int64 {
	if l.open == 0 {
		return l.schedule.due(l.next)
	}
	at := l.attempts[l.oldest].start + l.timeout
	if l.next < len(l.attempts) {
		at = min(at, l.schedule.due(l.next))
	}
	return at
}

// look settles the attempts that have ended; see
// poll.Poller.Wait. To be woken late is in the lag and in no latency.
func (l *loop) look(until int64) error {
	events, err := l.poller.Wait(until)
	if err != nil {
		return err
	}
	at := agent.Now()
	for _, event := range events {
		a := &l.attempts[event.Tag]
		if settled, e := l.sockets.heard(int(a.fd), int(event.Tag), event); settled {
			l.settle(a, e, at)
		}
	}
	return nil
}

// expire ends the attempts whose time is over and moves oldest on to the first
// that is under way.
func (l *loop) expire() {
	if l.open == 0 {
		l.oldest = l.next
		return
	}
	now := agent.Now()
	for ; l.oldest < l.next; l.oldest++ {
		a := &l.attempts[l.oldest]
		if a.state != open {
			continue
		}
		if now < a.start+l.timeout {
			return
		}
		a.state = censored
		l.close(a, false)
	}
}

// shut frees everything, whether or not run came to its end.
func (l *loop) shut() error {
	for i := l.oldest; i < l.next; i++ {
		if l.attempts[i].state == open {
			l.close(&l.attempts[i], true)
		}
	}
	if err := l.poller.Close(); err != nil {
		return fmt.Errorf("connect: close: %w", err)
	}
	return nil
}
