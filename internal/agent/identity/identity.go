// Package identity is the protocol by which a connection learns which backend
// answered it. It shares its port with HTTP:
//
//	client: opens a TCP connection and sends the byte 'I'
//	server: sends 6 bytes and closes: the local IPv4 address of its end of the
//	        connection, then the local port, both in network byte order
//
// The local address of the server's end is the address that the packets had
// when they arrived, after every translation on the way: the pod IP. Anything
// but 'I' as the first byte is HTTP, whose methods are none that begin so.
package identity

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// Question is the byte that asks for the identity.
const Question byte = 'I'

// Size is the length of the answer in bytes.
const Size = 6

// Encode returns the answer of the backend whose end of a connection is at
// local, which must be an IPv4 address (or one mapped into IPv6).
func Encode(local netip.AddrPort) ([Size]byte, error) {
	var b [Size]byte
	ip := local.Addr().Unmap()
	if !ip.Is4() {
		return b, fmt.Errorf("identity of %v: not an IPv4 address", local)
	}
	four := ip.As4()
	copy(b[:], four[:])
	binary.BigEndian.PutUint16(b[4:], local.Port())
	return b, nil
}

// Decode returns the address in an answer.
func Decode(b [Size]byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), binary.BigEndian.Uint16(b[4:]))
}

// Answer is the server's half: it answers the question, which has been read
// from c already. It does not close c.
func Answer(c net.Conn) error {
	local, err := localAddr(c)
	if err != nil {
		return fmt.Errorf("answer identity: %w", err)
	}
	b, err := Encode(local)
	if err != nil {
		return err
	}
	if _, err := c.Write(b[:]); err != nil {
		return fmt.Errorf("answer identity: %w", err)
	}
	return nil
}

// localAddr returns the address of this end of c.
func localAddr(c net.Conn) (netip.AddrPort, error) {
	if tcp, ok := c.LocalAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort(), nil
	}
	return netip.ParseAddrPort(c.LocalAddr().String())
}

// Ask is the client's half: it asks on a new connection who is at the other
// end. It neither sets a deadline nor closes c.
func Ask(c net.Conn) (netip.AddrPort, error) {
	if _, err := c.Write([]byte{Question}); err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask identity: %w", err)
	}
	var b [Size]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read identity: %w", err)
	}
	return Decode(b), nil
}
