package connect

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// What an event is about, if not about an attempt, whose index is its number.
const (
	timerEvent = -1
	wakeEvent  = -2
)

// poller waits for attempts, for a point in time and for being woken.
type poller struct {
	epoll, timer int
	armed        int64
	events       [256]unix.EpollEvent
	spec         unix.ItimerSpec

	mu     sync.Mutex
	waker  int // guarded by mu against being used after close
	closed bool
}

func newPoller() (*poller, error) {
	p := &poller{epoll: -1, timer: -1, waker: -1}
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("create timer: %w", err)
	}
	if p.waker, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create event: %w", err)
	}
	for event, fd := range map[int32]int{timerEvent: p.timer, wakeEvent: p.waker} {
		if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: event}); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// add watches a socket for the end of its handshake, which is reported even if
// it is over already. The kernel forgets the socket when it is closed.
func (p *poller) add(fd, attempt int) unix.Errno {
	event := &p.events[0] // free between two waits
	*event = unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET, Fd: int32(attempt)}
	return errno(unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, event))
}

// wait returns the attempts on which something happened, as the Fd of events.
// It waits until then, until wake or until the time given in ns of
// CLOCK_MONOTONIC; not at all if that is 0. The result is valid until the next
// use of the poller.
//
// The timer is absolute and exact, unlike the time-out of epoll_wait, which
// counts milliseconds; the kernel's timer slack (PR_SET_TIMERSLACK) concerns
// such time-outs and sleeps, but not timer descriptors. To be woken still takes
// some 50 us on an idle virtual machine. That is in the lag and in no latency,
// whereas to wait busily instead would take 5% of a core from what is measured
// for every thousand connections a second.
func (p *poller) wait(until int64) ([]unix.EpollEvent, error) {
	timeout := 0
	if until > 0 {
		timeout = -1
		if err := p.arm(until); err != nil {
			return nil, err
		}
	}
	n, err := unix.EpollWait(p.epoll, p.events[:], timeout)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, fmt.Errorf("wait: %w", err)
	}
	return p.events[:max(n, 0)], nil
}

// arm sets the timer, which also takes back that it has expired.
func (p *poller) arm(at int64) error {
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

// wake ends this and every later wait. Any goroutine may call it, even after
// close.
func (p *poller) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		one := [8]byte{1} // any value but 0 and 2^64-1 does
		_, _ = unix.Write(p.waker, one[:])
	}
}

// close frees the descriptors; closing twice changes nothing.
func (p *poller) close() error {
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
