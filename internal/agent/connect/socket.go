package connect

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/poll"
)

// sockets makes the system calls of one protocol's attempts, with memory that
// is allocated once. Attempts are told apart by their index in loop.attempts,
// targets by theirs in Spec.Targets.
type sockets interface {
	// open returns a new socket for an attempt at a target, at the time now.
	open(target int32, now int64) (fd int, e unix.Errno)
	// begin begins to connect and never blocks, so that the Go scheduler
	// need not know of it, and cannot come between the kernel and the clock.
	// EINPROGRESS means that nothing is decided yet.
	begin(fd int, target int32, attempt int) unix.Errno
	// settled reports, directly after begin, whether the attempt is over,
	// and if so, how.
	settled(fd int) (bool, unix.Errno)
	// events are what to wait for after that.
	events() uint32
	// heard reports the same as settled, once such an event has come.
	heard(fd, attempt int, event poll.Event) (bool, unix.Errno)
	// close closes a socket, whatever has become of it.
	close(fd int, connected bool)
}

// newSockets returns the sockets of the Spec's protocol.
func newSockets(spec Spec) sockets {
	if spec.Protocol == agent.UDP {
		return newUDPSockets(spec)
	}
	return &tcpSockets{targets: spec.addresses(), abort: unix.Linger{Onoff: 1}}
}

// tcpSockets are established when the handshake is over.
type tcpSockets struct {
	targets []unix.RawSockaddrInet4
	poll    [1]unix.PollFd
	abort   unix.Linger
}

// rawAddress returns addr in the form connect takes: the port is in network
// byte order, whatever that of the machine is.
func rawAddress(addr netip.AddrPort) unix.RawSockaddrInet4 {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], addr.Port())
	return unix.RawSockaddrInet4{Family: unix.AF_INET, Port: binary.NativeEndian.Uint16(port[:]), Addr: addr.Addr().As4()}
}

// open does not bind the socket: connect chooses a local port that is free
// towards the target, of which there are as many for each target.
func (s *tcpSockets) open(int32, int64) (int, unix.Errno) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, errno(err)
}

func (s *tcpSockets) begin(fd int, target int32, _ int) unix.Errno {
	return rawConnect(fd, &s.targets[target])
}

func rawConnect(fd int, to *unix.RawSockaddrInet4) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
	return e
}

func (s *tcpSockets) settled(fd int) (bool, unix.Errno) {
	s.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
	switch n, err := unix.Poll(s.poll[:], 0); {
	case errors.Is(err, unix.EINTR):
		return false, 0
	case err != nil:
		return true, errno(err)
	case n == 0:
		return false, 0
	}
	if s.poll[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0 {
		return true, 0
	}
	return true, failure(fd)
}

func (*tcpSockets) events() uint32 { return unix.EPOLLOUT }

func (*tcpSockets) heard(fd, _ int, event poll.Event) (bool, unix.Errno) {
	if event.Failed() {
		return true, failure(fd)
	}
	return true, 0
}

// failure returns what a socket failed with, 0 if it did not.
func failure(fd int) unix.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errno(err)
	}
	return unix.Errno(n)
}

// close aborts an established connection: no TIME_WAIT uses up the local ports.
// Nothing depends on the errors.
func (s *tcpSockets) close(fd int, connected bool) {
	if connected {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &s.abort)
	}
	_ = unix.Close(fd)
}

// errno returns the number inside an error of package unix.
func errno(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if n, ok := err.(unix.Errno); ok { // package unix wraps nothing
		return n
	}
	return unix.EIO
}
