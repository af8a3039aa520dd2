package agent

import "fmt"

// Protocol is the transport protocol that instruments speak to Services. Its
// zero value means TCP.
type Protocol string

// The protocols. A "connection" of UDP is a socket with a source port of its
// own that sends one datagram and waits for the answer.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Check returns an error if the protocol is not one of them.
func (p Protocol) Check() error {
	switch p {
	case "", TCP, UDP:
		return nil
	}
	return fmt.Errorf("protocol %q is neither %s nor %s", string(p), TCP, UDP)
}
