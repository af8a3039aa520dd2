// Package poll waits on one thread for sockets, for a point in time and for
// being woken. The instruments that open connections are built on it rather
// than on the network poller and the timers of the Go runtime: they choose when
// to look at what, and looking allocates nothing.
package poll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What Wait may be given instead of a point in time.
const (
	Now   int64 = 0             // does not wait
	Never int64 = math.MaxInt64 // waits for events only: 292 years
)

// own marks the events of the timer and of the waker. It is in the half of the
// data of an event that tags leave free.
const own = 1

// Event tells that something happened on a socket.
type Event struct {
	Tag   int32  // what Add was given
	Flags uint32 // what happened: unix.EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
}

// Failed reports whether the socket has an error or is closed both ways.
func (e Event) Failed() bool { return e.Flags&(unix.EPOLLERR|unix.EPOLLHUP) != 0 }

// Poller waits for sockets, for a point in time and for being woken. Add and
// Wait must not run at the same time, nor while or after Close does.
type Poller struct {
	epoll, timer int
	armed        int64 // what the timer is set to; 0 when it is not
	spec         unix.ItimerSpec
	events       [256]unix.EpollEvent
	ready        [256]Event

	mu     sync.Mutex
	waker  int // guarded by mu against being used after Close
	closed bool
	one    [8]byte // what is written to the waker
}

// New returns a Poller that watches no sockets. The caller must Close it.
func New() (*Poller, error) {
	p := &Poller{epoll: -1, timer: -1, waker: -1}
	binary.NativeEndian.PutUint64(p.one[:], 1)
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("create timer: %w", err)
	}
	if p.waker, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create event: %w", err)
	}
	// The timer stays ready until it is set again. The waker is reported once
	// for each time it is written to, and so need not be read.
	for fd, flags := range map[int]uint32{p.timer: unix.EPOLLIN, p.waker: unix.EPOLLIN | unix.EPOLLET} {
		if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: flags, Pad: own}); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// Add watches a socket for the events that flags has (unix.EPOLLIN, EPOLLOUT),
// edge-triggered; what has happened already is reported too, and failures
// always are. Every tag is allowed. The kernel forgets the socket when it is
// closed. The error is a bare unix.Errno.
func (p *Poller) Add(fd int, flags uint32, tag int32) error {
	event := &p.events[0] // free between two waits
	*event = unix.EpollEvent{Events: flags | unix.EPOLLET, Fd: tag}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, event)
}

// Wait returns what happened on sockets. It waits until something does, until
// Wake, or until the given time in ns of CLOCK_MONOTONIC, and may return
// nothing earlier than that. The result is valid until the next Wait.
//
// The timer is absolute and exact, unlike the time-out of epoll_wait, which
// counts milliseconds; the kernel's timer slack (PR_SET_TIMERSLACK) concerns
// such time-outs and sleeps, but not timer descriptors. To be woken still takes
// some 50 us on an idle virtual machine. To wait busily instead would take 5%
// of a core from what is measured for every thousand connections a second.
func (p *Poller) Wait(until int64) ([]Event, error) {
	timeout := 0
	if until > Now {
		timeout = -1
		if err := p.arm(until); err != nil {
			return nil, err
		}
	}
	n, err := p.wait(timeout)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, fmt.Errorf("wait: %w", err)
	}
	ready := p.ready[:0]
	for i := range n {
		if e := &p.events[i]; e.Pad != own {
			ready = append(ready, Event{Tag: e.Fd, Flags: e.Events})
		}
	}
	return ready, nil
}

// wait is epoll_wait without the knowledge of the Go scheduler, which would take
// what it knows to be waiting away from its processor and bring it back with
// every socket: a dozen switches between threads for each connection, in the
// middle of what is measured. It interrupts the call with a signal when it needs
// the thread, and every 10 ms, as it takes it for a computation.
func (p *Poller) wait(timeout int) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(timeout), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// arm sets the timer, which also takes back that it has expired.
func (p *Poller) arm(at int64) error {
	if at == p.armed {
		return nil
	}
	p.spec.Value = unix.NsecToTimespec(at)
	if err := unix.TimerfdSettime(p.timer, unix.TFD_TIMER_ABSTIME, &p.spec, nil); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	p.armed = at
	return nil
}

// Wake ends the current or else the next Wait. Any goroutine may call it, even
// after Close.
func (p *Poller) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_, _ = unix.Write(p.waker, p.one[:]) // fails only after 2^64-2 times
	}
}

// Close frees the descriptors; closing twice changes nothing.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var errs []error
	for _, fd := range []int{p.epoll, p.timer, p.waker} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}
