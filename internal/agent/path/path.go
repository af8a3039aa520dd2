// Package path measures how long the first packet of a connection spends inside
// a node: from the link to the client, where it comes in, to the
// link to the backend, where it goes out. Two BPF programs stamp the packet
// inside the kernel, so the figure holds the work of the Service
// implementation and nothing of clients, schedulers or backends.
//
// First packets are the SYNs of TCP connections and the questions over UDP of
// package identity. What is said here of SYNs is true of both.
//
// Serve is the end that runs at the node, Attach the end that runs beside the
// runner. path.bpf.c says how a packet is recognised and what is counted.
package path

import (
	"errors"
	"fmt"
	"math/bits"
	"os"

	"svcbench/internal/agent"
)

// Name is what a runner launches: "svcbench agent path".
const Name = "path"

// DefaultRingBytes is the size of the ring that keeps samples until they are
// collected: 8 MiB, room for about 350,000 samples of 24 bytes.
const DefaultRingBytes = 8 << 20

// Spec says where to measure. The links are looked up in the network namespace
// of the agent.
type Spec struct {
	// ClientLink is the link on which the SYNs of clients come in.
	ClientLink string `json:"clientLink"`
	// BackendLink is the link on which they go out to backends.
	BackendLink string `json:"backendLink"`
	// Protocol is that of the packets whose cost is told in Attached; both
	// are measured. The zero value means TCP.
	Protocol agent.Protocol `json:"protocol,omitempty"`
	// RingBytes is the size of the ring of samples, a power of two of at
	// least a page; zero means DefaultRingBytes.
	RingBytes int `json:"ringBytes,omitempty"`
}

// withDefaults returns the Spec with every field set, or what is wrong with it.
func (s Spec) withDefaults() (Spec, error) {
	if s.ClientLink == "" || s.BackendLink == "" {
		return s, errors.New("path probe needs the names of the client's and the backend's link")
	}
	if err := s.Protocol.Check(); err != nil {
		return s, fmt.Errorf("path probe: %w", err)
	}
	if s.RingBytes == 0 {
		s.RingBytes = DefaultRingBytes
	}
	const most = 1 << 30 // the kernel's own limit is of this order
	if page := os.Getpagesize(); s.RingBytes < page || s.RingBytes > most || bits.OnesCount(uint(s.RingBytes)) != 1 {
		return s, fmt.Errorf("path probe: ring of %d bytes: must be a power of two from %d to %d", s.RingBytes, page, most)
	}
	return s, nil
}

// ErrUnsupported is what errors.Is finds in the error of Attach when the place
// cannot take the measurement at all. Any other error means that this could
// not be found out.
var ErrUnsupported = errors.New("path not measured")

// UnsupportedError says why the place cannot take the measurement. It matches
// ErrUnsupported.
type UnsupportedError struct {
	// Because completes the sentence "not measured, because ...".
	Because string
}

// Error returns the whole sentence.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%v, because %s", ErrUnsupported, e.Because)
}

// Is reports whether target is ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }
