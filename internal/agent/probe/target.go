package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/errkind"
)

// MaxTimeout is the longest an attempt may last. Linux repeats an unanswered
// SYN after one second: an attempt that lived so long could be answered thanks
// to rules that did not exist when it began, and its start would say nothing.
const MaxTimeout = 900 * time.Millisecond

// Outcome is how an attempt ended.
type Outcome struct {
	// Start is when connect was called (over UDP too), End when the answer was read or the
	// attempt failed, in ns of CLOCK_MONOTONIC.
	Start, End int64
	// From is the address that answered; the zero value if none did.
	From netip.AddrPort
	// Failure is the kind of failure (see errkind); empty if From answered.
	Failure string
}

// Answered reports whether the outcome is an answer.
func (o Outcome) Answered() bool { return o.Failure == "" }

// Silent reports whether the attempt met nobody: it was refused, found no way
// or heard nothing. Failures of the prober itself are not silence.
func (o Outcome) Silent() bool {
	switch o.Failure {
	case errkind.Refused, errkind.Timeout, errkind.Unreachable, errkind.Denied:
		return true
	}
	return false
}

// Target is an address to which a Loop opens connections at a fixed pace. Its
// exported fields must not change while a Loop has it, but for Interval in Tick.
type Target struct {
	// Addr is the IPv4 address and port to connect to.
	Addr netip.AddrPort
	// Protocol is TCP, unless it says otherwise.
	Protocol agent.Protocol
	// Interval is the time from the start of an attempt to that of the next.
	// The times follow an absolute schedule; those that have passed unused
	// (because the machine was too slow, or because of Overlap) are skipped.
	Interval time.Duration
	// Timeout ends an attempt that has no answer; at most MaxTimeout.
	Timeout time.Duration
	// Overlap is how many attempts may be under way at once.
	Overlap int
	// Tick, if set, is called at each point of the schedule, before the
	// attempt; it may remove the target.
	Tick func(now int64)
	// Done is called with each outcome, in the order of their ends, which
	// need not be that of their starts; it may remove the target.
	Done func(Outcome)

	address unix.SockaddrInet4
	source  datagram.Source
	active  bool  // a Loop has it
	next    int64 // the next point of the schedule
	index   int   // in Loop.due
	open    int   // attempts under way
	started []*attempt
}

// OldestOpen returns the start of the oldest attempt under way, 0 if there is
// none: every attempt that began earlier has been told to Done.
func (t *Target) OldestOpen() int64 {
	if len(t.started) == 0 {
		return 0
	}
	return t.started[0].start
}

func (t *Target) when() int64 { return t.next }
func (t *Target) place() *int { return &t.index }

func (t *Target) check() error {
	if err := t.Protocol.Check(); err != nil {
		return fmt.Errorf("probe %v: %w", t.Addr, err)
	}
	switch {
	case !t.Addr.Addr().Is4() || t.Addr.Port() == 0:
		return fmt.Errorf("probe %v: not an IPv4 address with a port", t.Addr)
	case t.Interval <= 0 || t.Overlap <= 0:
		return fmt.Errorf("probe %v: interval %v and overlap %d must be positive", t.Addr, t.Interval, t.Overlap)
	case t.Timeout <= 0 || t.Timeout > MaxTimeout:
		return fmt.Errorf("probe %v: time-out %v of an attempt must be positive and at most %v (before the kernel repeats the SYN)", t.Addr, t.Timeout, MaxTimeout)
	case t.Done == nil:
		return errors.New("probe without Done")
	}
	return nil
}

// advance moves the schedule to its first point after now.
func (t *Target) advance(now int64) {
	interval := t.Interval.Nanoseconds()
	t.next += interval
	if late := now - t.next; late >= 0 {
		t.next += (late/interval + 1) * interval
	}
}
