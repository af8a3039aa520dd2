package connect

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockets makes system calls with memory that is allocated once.
type sockets struct {
	poll  [1]unix.PollFd
	abort unix.Linger
}

func newSockets() *sockets { return &sockets{abort: unix.Linger{Onoff: 1}} }

// rawAddress returns addr in the form connect takes: the port is in network
// byte order, whatever that of the machine is.
func rawAddress(addr netip.AddrPort) unix.RawSockaddrInet4 {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], addr.Port())
	return unix.RawSockaddrInet4{Family: unix.AF_INET, Port: binary.NativeEndian.Uint16(port[:]), Addr: addr.Addr().As4()}
}

// open returns a new socket. It is not bound: connect chooses a local port
// that is free towards the target, of which there are as many for each target.
func (s *sockets) open() (int, unix.Errno) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, errno(err)
}

// connect begins to connect. It never blocks, so the Go scheduler need not
// know of it, and cannot come between the kernel and the clock.
func (s *sockets) connect(fd int, to *unix.RawSockaddrInet4) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
	return e
}

// settled reports whether the handshake is over, and if so, how.
func (s *sockets) settled(fd int) (bool, unix.Errno) {
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
	return true, s.failure(fd)
}

// failure returns what a socket failed with, 0 if it did not.
func (s *sockets) failure(fd int) unix.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errno(err)
	}
	return unix.Errno(n)
}

// close closes a socket. An established connection is aborted: no TIME_WAIT
// uses up the local ports. Nothing depends on the errors.
func (s *sockets) close(fd int, connected bool) {
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
