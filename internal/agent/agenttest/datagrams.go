package agenttest

import (
	"net"
	"net/netip"
	"testing"

	"svcbench/internal/agent/identity"
)

// ServiceUDP listens on a free UDP port of 127.0.0.1 and answers questions as
// the backend that pick returns, which stands for a Service's choice. When pick
// returns the zero value the question is not answered.
func ServiceUDP(t testing.TB, pick func() netip.AddrPort) netip.AddrPort {
	t.Helper()
	return ListenUDP(t, func(_ netip.AddrPort, question []byte) [][]byte {
		if backend := pick(); backend.IsValid() {
			if answer, ok := identity.AppendReply(nil, question, backend); ok {
				return [][]byte{answer}
			}
		}
		return nil
	})
}

// ListenUDP listens on a free UDP port of 127.0.0.1 until the test ends, and
// answers every datagram with those that handle returns.
func ListenUDP(t testing.TB, handle func(from netip.AddrPort, question []byte) [][]byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		question := make([]byte, 1024)
		for {
			n, from, err := c.ReadFromUDPAddrPort(question)
			if err != nil {
				return
			}
			for _, answer := range handle(from, question[:n]) {
				_, _ = c.WriteToUDPAddrPort(answer, from)
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}
