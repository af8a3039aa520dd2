package connect

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/identity"
	"svcbench/internal/agent/poll"
)

// udpSockets are established when the answer to their one datagram has come.
type udpSockets struct {
	targets  []unix.RawSockaddrInet4
	sources  []datagram.Source // of each target
	opener   *datagram.Opener
	first    uint64 // the cookie of the first attempt; the others count on
	question [identity.QuestionSize]byte
	answer   [identity.DatagramAnswerSize + 1]byte // one more shows what is too long
}

func newUDPSockets(spec Spec) *udpSockets {
	cookies := datagram.NewCookies()
	sources := make([]datagram.Source, len(spec.Targets))
	for i := range sources { // probes connect at the same time
		sources[i] = datagram.NewSource(datagram.Upper)
	}
	return &udpSockets{
		targets: spec.addresses(), sources: sources,
		opener: datagram.NewOpener(),
		first:  cookies.Next() &^ (2*maxAttempts - 1), // so that counting on carries nothing into the highest bit
	}
}

func (s *udpSockets) cookie(attempt int) uint64 { return s.first + uint64(attempt) }

// open binds the socket to a source port that the node does not remember.
func (s *udpSockets) open(target int32, now int64) (int, unix.Errno) {
	fd, err := s.opener.Open(s.sources[target].Next(now))
	return fd, errno(err)
}

// begin connects, which asks nobody but a load balancer inside the kernel, and
// sends the datagram.
func (s *udpSockets) begin(fd int, target int32, attempt int) unix.Errno {
	s.question = identity.Query(s.cookie(attempt))
	if e := rawConnect(fd, &s.targets[target]); e != 0 {
		return e
	}
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&s.question)), unsafe.Sizeof(s.question), 0, 0, 0)
	if e == 0 {
		return unix.EINPROGRESS
	}
	return e
}

// settled never is true: the answer waits for the backend's turn.
func (*udpSockets) settled(int) (bool, unix.Errno) { return false, 0 }

func (*udpSockets) events() uint32 { return unix.EPOLLIN }

// heard reads what has come until it is the answer. Anything else was meant for
// an earlier socket with the same port.
func (s *udpSockets) heard(fd, attempt int, _ poll.Event) (bool, unix.Errno) {
	for {
		n, err := unix.Read(fd, s.answer[:])
		switch e := errno(err); e {
		case 0:
			if _, ok := identity.Reply(s.answer[:n], s.cookie(attempt)); ok {
				return true, 0
			}
		case unix.EAGAIN, unix.EINTR:
			return false, 0
		default:
			return true, e
		}
	}
}

func (*udpSockets) close(fd int, _ bool) { _ = unix.Close(fd) } // nothing depends on it
