package probe

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/identity"
)

// attempt is one identity connection under way.
type attempt struct {
	target   *Target
	fd       int // -1 when closed
	start    int64
	deadline int64
	index    int // in Loop.open
	asked    bool
	ended    bool
	read     int
	answer   [identity.Size]byte
	cookie   uint64 // of a question over UDP, 0 over TCP
}

func (a *attempt) when() int64 { return a.deadline }
func (a *attempt) place() *int { return &a.index }

// question is what every attempt sends.
var question = []byte{identity.Question}

// errPending means that an attempt waits for the network.
var errPending = errors.New("pending")

// connect opens the socket and begins to connect. The question is sent in the
// same go: on virtual links the handshake is done when connect returns, which
// saves a turn of the loop.
func (a *attempt) connect() error {
	a.start = agent.Now()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	a.fd = fd
	// Closing aborts the connection: no TIME_WAIT uses up the local ports.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	if err := askForErrors(fd); err != nil {
		return err
	}
	a.start = agent.Now()
	if err := unix.Connect(fd, &a.target.address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	return a.ask()
}

// ask sends the question; errPending means that the handshake is under way
// or, after the question, that the answer is.
func (a *attempt) ask() error {
	if a.asked {
		return errPending
	}
	if _, err := unix.Write(a.fd, question); err != nil {
		return pending(err)
	}
	a.asked = true
	return errPending
}

// proceed does what can be done without waiting. It returns nil when the
// answer is complete.
func (a *attempt) proceed() error {
	if err := a.ask(); !a.asked {
		return err
	}
	if a.cookie != 0 {
		return a.readReply()
	}
	for a.read < len(a.answer) {
		n, err := unix.Read(a.fd, a.answer[a.read:])
		if err != nil {
			return pending(err)
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		a.read += n
	}
	return nil
}

func pending(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return errPending
	}
	return err
}

// outcome returns how the attempt ended.
func (a *attempt) outcome(err error) Outcome {
	o := Outcome{Start: a.start, End: agent.Now(), Failure: errkind.Of(err)}
	if err == nil {
		o.From = identity.Decode(a.answer)
	}
	return o
}

// close aborts the connection. The kernel takes a closed socket out of epoll.
func (a *attempt) close() {
	a.ended = true
	if a.fd >= 0 {
		_ = unix.Close(a.fd) // nothing depends on it and nothing could be done
		a.fd = -1
	}
}
