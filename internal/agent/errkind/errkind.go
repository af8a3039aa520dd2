// Package errkind names the ways a connection fails. A kind is a short, stable
// word: error texts hold port numbers, so counting texts would make as many
// kinds as there are errors.
package errkind

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// The kinds of failure, as they stand in results.
const (
	// Refused: nothing listens there, or a rule rejects (TCP RST or ICMP
	// port unreachable).
	Refused = "refused"
	// Reset: an established connection was aborted by the other end.
	Reset = "reset"
	// Timeout: nothing came back in time.
	Timeout = "timeout"
	// Unreachable: the network said that there is no way to the address.
	Unreachable = "unreachable"
	// Denied: the kernel forbade the connection (a BPF program or a rule).
	Denied = "denied"
	// Closed: the other end closed the connection before its answer.
	Closed = "closed"
	// WrongBackend: the answer came from somebody else, or is not one of a
	// backend of svcbench.
	WrongBackend = "wrong-backend"
	// Status: an HTTP answer had a status other than 200.
	Status = "status"
	// NoPort: the client has no free local port left.
	NoPort = "no-port"
	// NoSocket: the client may not open more sockets.
	NoSocket = "no-socket"
	// Cancelled: the attempt was given up because the run ended.
	Cancelled = "cancelled"
	// Other is everything else.
	Other = "other"
)

// numbers maps what the kernel says to a kind.
var numbers = map[syscall.Errno]string{
	syscall.ECONNREFUSED:  Refused,
	syscall.ECONNRESET:    Reset,
	syscall.EPIPE:         Reset,
	syscall.ECONNABORTED:  Reset,
	syscall.ETIMEDOUT:     Timeout,
	syscall.EHOSTUNREACH:  Unreachable,
	syscall.ENETUNREACH:   Unreachable,
	syscall.EHOSTDOWN:     Unreachable,
	syscall.ENETDOWN:      Unreachable,
	syscall.EPERM:         Denied,
	syscall.EACCES:        Denied,
	syscall.EADDRNOTAVAIL: NoPort,
	syscall.EADDRINUSE:    NoPort,
	syscall.EMFILE:        NoSocket,
	syscall.ENFILE:        NoSocket,
	syscall.ENOBUFS:       NoSocket,
	syscall.ENOMEM:        NoSocket,
}

// Of returns the kind of err, which is empty for nil.
func Of(err error) string {
	if err == nil {
		return ""
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if kind, ok := numbers[errno]; ok {
			return kind
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	}
	return Other
}
