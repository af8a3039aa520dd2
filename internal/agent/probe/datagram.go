package probe

import (
	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/identity"
)

// sendQuestion is connect over UDP: there is no handshake, and a socket that
// was told of no error has to wait for the answer.
func (a *attempt) sendQuestion(o *datagram.Opener, cookie uint64) error {
	a.start = agent.Now()
	fd, err := o.Open(a.target.source.Next(a.start))
	if err != nil {
		return err
	}
	a.fd, a.cookie = fd, cookie
	a.start = agent.Now()
	if err := unix.Connect(fd, &a.target.address); err != nil {
		return err
	}
	question := identity.Query(cookie)
	a.asked = true
	if _, err := unix.Write(fd, question[:]); err != nil {
		return err
	}
	return errPending
}

// readReply reads what has come until it is the answer. Anything else was
// meant for an earlier socket with the same port.
func (a *attempt) readReply() error {
	var reply [identity.DatagramAnswerSize + 1]byte
	for {
		n, err := unix.Read(a.fd, reply[:])
		if err != nil {
			return pending(err)
		}
		if _, ok := identity.Reply(reply[:n], a.cookie); ok {
			copy(a.answer[:], reply[:])
			return nil
		}
	}
}
