// Package datagram opens the UDP sockets with which instruments make
// "connections": one socket, one datagram there and one back.
//
// What makes a connection new to a node is its source port. Nodes remember
// flows of UDP by addresses and ports long after they are over (conntrack for
// 30 s and more), and lead a datagram that looks like one of them to the same
// endpoint, whatever the rules say by then. The kernel gives ports out at
// random and soon gives the same one again, so these sockets choose their own.
package datagram

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// firstPort is the first port that no system service has.
	firstPort = 1024
	ports     = (1<<16 - firstPort) / 2
	// step is the time in which the ports move on by one. At up to 1000
	// connections a second to one target a port comes back after 32 s, also
	// if one agent after the other makes them: conntrack has forgotten it.
	step = time.Millisecond
)

// Kept are KeptPorts ports from the first one on for sockets that keep theirs: none
// of those that sources choose from. They are privileged.
const (
	Kept      = 512
	KeptPorts = firstPort - Kept
)

// Half is half of the ports. Two agents that connect to one target at the same
// time must not have the same, lest they choose the same port.
type Half uint16

// The halves.
const (
	Lower Half = firstPort
	Upper Half = firstPort + ports
)

// Source chooses the source ports of connections to one target.
type Source struct {
	half Half
	last int64
}

// NewSource returns a Source of ports in that half.
func NewSource(half Half) Source { return Source{half: half} }

// Next returns the port for a connection that begins now, in ns of
// CLOCK_MONOTONIC.
func (s *Source) Next(now int64) uint16 {
	s.last = max(s.last+1, now/step.Nanoseconds())
	return uint16(int64(s.half) + s.last%ports)
}

// Cookies gives every question another cookie.
type Cookies struct{ last uint64 }

// NewCookies begins at random, so that two agents hardly ever have the same
// cookies, and not below 2^63, so that no cookie is also the sequence number of
// a TCP connection.
func NewCookies() Cookies { return Cookies{last: rand.Uint64() | 1<<63} }

// Next returns a cookie.
func (c *Cookies) Next() uint64 {
	c.last++
	return c.last | 1<<63
}

// Opener opens sockets with memory that is allocated once.
type Opener struct{ local unix.RawSockaddrInet4 }

// NewOpener returns an Opener.
func NewOpener() *Opener { return &Opener{local: unix.RawSockaddrInet4{Family: unix.AF_INET}} }

// Open returns a new non-blocking socket with that source port. Others may have
// the same port towards other targets. The error is a bare unix.Errno.
func (o *Opener) Open(port uint16) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := o.bind(fd, port); err != nil {
		_ = unix.Close(fd) // nothing depends on it
		return -1, err
	}
	return fd, nil
}

func (o *Opener) bind(fd int, port uint16) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	var raw [2]byte
	binary.BigEndian.PutUint16(raw[:], port)
	o.local.Port = binary.NativeEndian.Uint16(raw[:])
	if _, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&o.local)), unsafe.Sizeof(o.local)); e != 0 {
		return e
	}
	return nil
}
