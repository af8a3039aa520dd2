// Package probe opens identity connections (see package identity) to many
// targets at a fixed pace each, from one thread. It is built on non-blocking
// sockets, epoll and an absolute timer rather than on a goroutine and a
// net.Dialer per connection: instruments share the machine with what they
// measure, and this costs a fraction.
package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/poll"
)

// burst is how many attempts are started before the loop looks at answers.
const burst = 16

// Loop probes targets. Run and every callback run on one goroutine; all
// methods but Do must be called there, or while Run is not running.
type Loop struct {
	poller *poll.Poller
	limit  int
	due    queue[*Target]
	open   queue[*attempt]
	byFD   map[int]*attempt
	spare  []*attempt // to be used again
	calls  calls
	ended  bool

	datagrams *datagram.Opener
	cookies   datagram.Cookies
}

// NewLoop returns a Loop that has at most limit attempts under way at once;
// further ones wait for their turn. Its sockets belong to the network
// namespace of the thread that calls Run. The caller must Close it.
func NewLoop(limit int) (*Loop, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("probe loop: limit of %d attempts must be positive", limit)
	}
	p, err := poll.New()
	if err != nil {
		return nil, fmt.Errorf("probe loop: %w", err)
	}
	return &Loop{
		poller: p, limit: limit, byFD: map[int]*attempt{},
		datagrams: datagram.NewOpener(), cookies: datagram.NewCookies(),
	}, nil
}

// Add begins to probe t: its first attempt is due at once.
func (l *Loop) Add(t *Target) error {
	if err := t.check(); err != nil {
		return err
	}
	t.address = unix.SockaddrInet4{Port: int(t.Addr.Port()), Addr: t.Addr.Addr().As4()}
	t.source = datagram.NewSource(datagram.Lower)
	t.active, t.next = true, agent.Now()
	l.due.push(t)
	return nil
}

// Rest starts no more attempts to t; those under way go on. Resting twice
// changes nothing.
func (l *Loop) Rest(t *Target) {
	if t.active {
		t.active = false
		l.due.remove(t)
	}
}

// Remove ends the probing of t and aborts its attempts: Done is not called
// again. Removing twice changes nothing.
func (l *Loop) Remove(t *Target) {
	l.Rest(t)
	for _, a := range t.started {
		if !a.ended {
			l.drop(a)
		}
	}
	t.started = nil
}

// Do runs f on the loop soon. It may be called from any goroutine; f is
// forgotten when the loop is closed.
func (l *Loop) Do(f func()) {
	l.calls.add(f)
	l.poller.Wake()
}

// Stop makes Run return; to be called on the loop.
func (l *Loop) Stop() { l.ended = true }

// Open returns how many attempts are under way.
func (l *Loop) Open() int { return l.open.len() }

// Run probes until ctx ends or Stop is called; both are no error.
func (l *Loop) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.poller.Wake)()
	l.ended = false
	for {
		l.calls.run()
		more := l.startDue()
		if l.ended || ctx.Err() != nil {
			return nil
		}
		until := l.next()
		if more || until <= agent.Now() { // without the detour through the timer
			until = poll.Now
		}
		events, err := l.poller.Wait(until)
		if err != nil {
			return fmt.Errorf("probe loop: %w", err)
		}
		for _, event := range events {
			if a := l.byFD[int(event.Tag)]; a != nil { // not dropped by an earlier callback
				l.settle(a, l.hear(a, event))
			}
		}
		l.expire()
	}
}

// Close aborts all attempts and frees the loop's descriptors.
func (l *Loop) Close() error {
	for l.open.len() > 0 {
		l.drop(l.open.first())
	}
	if err := l.poller.Close(); err != nil {
		return fmt.Errorf("close probe loop: %w", err)
	}
	return nil
}

// startDue starts the attempts that are due, at most a burst of them, and
// reports whether some are left.
func (l *Loop) startDue() bool {
	at := agent.Now()
	for range burst {
		if l.due.len() == 0 || l.open.len() >= l.limit || l.due.first().next > at {
			return false
		}
		t := l.due.first()
		t.advance(at)
		l.due.changed(t)
		if t.Tick != nil {
			t.Tick(at)
		}
		if l.ended {
			return false
		}
		if t.active && t.open < t.Overlap {
			l.start(t)
		}
	}
	return true
}

func (l *Loop) start(t *Target) {
	a := l.newAttempt(t)
	err := l.begin(a)
	a.deadline = a.start + t.Timeout.Nanoseconds()
	t.started = append(t.started, a)
	t.open++
	l.open.push(a)
	if a.fd >= 0 && errors.Is(err, errPending) {
		flags := uint32(unix.EPOLLIN)
		if !a.asked { // still connecting
			flags |= unix.EPOLLOUT
		}
		if adding := l.poller.Add(a.fd, flags, int32(a.fd)); adding != nil {
			err = adding
		} else {
			l.byFD[a.fd] = a
		}
	}
	l.settle(a, err)
}

// hear does what can be done now that something happened on the socket.
func (l *Loop) hear(a *attempt, event poll.Event) error {
	err := a.proceed()
	if errors.Is(err, errPending) && event.Failed() {
		return told(a.fd)
	}
	return err
}

// begin begins an attempt by the protocol of its target.
func (l *Loop) begin(a *attempt) error {
	if a.target.Protocol == agent.UDP {
		return a.sendQuestion(l.datagrams, l.cookies.Next())
	}
	return a.connect()
}

// settle tells the outcome of an attempt unless it is still pending.
func (l *Loop) settle(a *attempt, err error) {
	if errors.Is(err, errPending) {
		return
	}
	o, t := a.outcome(err), a.target
	l.drop(a)
	l.forget(t)
	t.Done(o)
}

// newAttempt returns an attempt that has not begun.
func (l *Loop) newAttempt(t *Target) *attempt {
	last := len(l.spare) - 1
	if last < 0 {
		return &attempt{target: t, fd: -1}
	}
	a := l.spare[last]
	l.spare = l.spare[:last]
	*a = attempt{target: t, fd: -1}
	return a
}

// forget drops the attempts at the head of t.started that have ended.
func (l *Loop) forget(t *Target) {
	n := 0
	for n < len(t.started) && t.started[n].ended {
		n++
	}
	l.spare = append(l.spare, t.started[:n]...)
	t.started = slices.Delete(t.started, 0, n)
}

// expire ends the attempts whose time is over.
func (l *Loop) expire() {
	at := agent.Now()
	for l.open.len() > 0 && l.open.first().deadline <= at {
		l.settle(l.open.first(), os.ErrDeadlineExceeded)
	}
}

// drop closes an attempt and forgets it.
func (l *Loop) drop(a *attempt) {
	delete(l.byFD, a.fd)
	l.open.remove(a)
	a.target.open--
	a.close()
}

// next returns when the loop must act again if nothing happens before.
func (l *Loop) next() int64 {
	at := poll.Never
	if l.open.len() > 0 {
		at = l.open.first().deadline
	}
	if l.due.len() > 0 && l.open.len() < l.limit {
		at = min(at, l.due.first().next)
	}
	return at
}
