// Package backend is what answers behind every Service: one process that is
// the backend of all pod IPs of a network namespace at once. A route "local
// POD-CIDR dev lo" there (AnyIP), which the cluster makes, gives the namespace
// every address of the range. Each answer says which pod IP it came from, by
// HTTP (body and header X-Backend) or by the identity protocol on the same
// port, TCP or UDP, and single pod IPs can be switched off, as if their pod was gone.
//
// Serve is the end that runs at the place, Start the end that runs beside the
// runner.
package backend

import "net/netip"

// Name is what a runner launches: "svcbench agent backend".
const Name = "backend"

// DefaultPort is where a backend listens unless told otherwise.
const DefaultPort = 8080

// Header is the HTTP header of every answer that holds the pod IP and port.
const Header = "X-Backend"

// Spec says what to serve.
type Spec struct {
	// Ports are the TCP and UDP ports that answer on every pod IP; none means
	// DefaultPort.
	Ports []uint16 `json:"ports,omitempty"`
}

// First is the first port that answers.
func (s Spec) First() uint16 {
	if len(s.Ports) == 0 {
		return DefaultPort
	}
	return s.Ports[0]
}

// The talk: the runner sends a Spec, the agent answers listening once all
// ports are open; then each change of the runner gets one changed, in order.
// The agent ends when the runner closes its end.
type (
	listening struct{}

	// change switches pod IPs off, then others on.
	change struct {
		ID  int          `json:"id"`
		Off []netip.Addr `json:"off,omitempty"`
		On  []netip.Addr `json:"on,omitempty"`
	}

	// changed answers the change of the same ID.
	changed struct {
		ID    int    `json:"id"`
		Error string `json:"error,omitempty"`
	}
)
