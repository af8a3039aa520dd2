package probe

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
)

// poller waits for sockets, for a point in time and for being woken.
type poller struct {
	epoll, timer int
	armed        int64 // what the timer is set to; 0 when it is not
	events       [256]unix.EpollEvent
	ready        []int

	mu     sync.Mutex
	waker  int // guarded by mu against being used after close
	closed bool
}

func newPoller() (*poller, error) {
	p := &poller{epoll: -1, timer: -1, waker: -1}
	err := p.open()
	if err != nil {
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
	for _, fd := range []int{p.timer, p.waker} {
		if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// add watches a socket, edge-triggered, for data and, if it is connecting, for
// the end of the handshake. A socket that is ready already is reported.
func (p *poller) add(fd int, connecting bool) error {
	events := uint32(unix.EPOLLIN) | unix.EPOLLET
	if connecting {
		events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// The special values of what wait is given.
const (
	never = int64(0)
	now   = int64(-1)
)

// wait returns the sockets on which something happened. It waits until then,
// until wake, or until the time given, in ns of CLOCK_MONOTONIC. The result is
// valid until the next call.
func (p *poller) wait(until int64) ([]int, error) {
	timeout := -1
	if until == now || (until != never && until <= agent.Now()) {
		timeout = 0
	} else if err := p.arm(until); err != nil {
		return nil, err
	}
	p.ready = p.ready[:0]
	n, err := unix.EpollWait(p.epoll, p.events[:], timeout)
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			return nil, nil
		}
		return nil, fmt.Errorf("wait: %w", err)
	}
	for _, e := range p.events[:n] {
		switch fd := int(e.Fd); fd {
		case p.timer: // needs no reading: arm resets it
		case p.waker:
			var b [8]byte
			_, _ = unix.Read(fd, b[:]) // only resets the counter
		default:
			p.ready = append(p.ready, fd)
		}
	}
	return p.ready, nil
}

// arm sets the timer. The timer is absolute and exact, unlike the time-out of
// epoll_wait, which counts milliseconds.
func (p *poller) arm(at int64) error {
	if at == p.armed {
		return nil
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(at)} // zero disarms
	if err := unix.TimerfdSettime(p.timer, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	p.armed = at
	return nil
}

// wake ends the current or else the next wait. Any goroutine may call it, even
// after close.
func (p *poller) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		one := [8]byte{1} // in the byte order of little-endian machines; any value but 0 and 2^64-1 does
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

// calls are functions waiting to be run on the loop.
type calls struct {
	mu    sync.Mutex
	queue []func()
}

func (c *calls) add(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, f)
}

func (c *calls) run() {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	for _, f := range queue {
		f()
	}
}
