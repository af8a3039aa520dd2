package agenttest

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"svcbench/internal/agent/identity"
)

// Service listens on a free port of 127.0.0.1 and answers identity connections
// as the backend that pick returns, which stands for a Service's choice. When
// pick returns the zero value the connection hears nothing. pick is called on
// many goroutines.
func Service(t testing.TB, pick func() netip.AddrPort) netip.AddrPort {
	t.Helper()
	return Listen(t, func(c *net.TCPConn) { serve(c, pick) })
}

// Listen listens on a free port of 127.0.0.1 until the test ends. handle is
// called on a goroutine for each connection, which is closed when it returns.
func Listen(t testing.TB, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func serve(c net.Conn, pick func() netip.AddrPort) {
	var question [1]byte
	if _, err := io.ReadFull(c, question[:]); err != nil || question[0] != identity.Question {
		return
	}
	backend := pick()
	if !backend.IsValid() {
		_, _ = io.Copy(io.Discard, c) // until the client gives up
		return
	}
	if answer, err := identity.Encode(backend); err == nil {
		_, _ = c.Write(answer[:])
	}
}

// NoService returns an address of 127.0.0.1 that refuses connections.
func NoService(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
