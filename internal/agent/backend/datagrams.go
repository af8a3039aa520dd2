package backend

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/identity"
)

// backlog is how many bytes of questions may wait while this process has no
// processor: the kernel charges some 800 for each.
const backlog = 8 << 20

// listenUDP opens a port on all addresses. Each question comes with the address
// it was sent to, and its answer must leave from that: the kernel would choose
// another one among the many of the namespace.
func listenUDP(ctx context.Context, port uint16) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = os.NewSyscallError("setsockopt IP_PKTINFO", unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
			// As much as is permitted.
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, backlog) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, backlog)
			}
		})
		return errors.Join(err, failed)
	}}
	c, err := config.ListenPacket(ctx, "udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, fmt.Errorf("open UDP port %d for backends: %w", port, err)
	}
	return c.(*net.UDPConn), nil
}

// answerUDP answers questions at a port until it is closed.
func answerUDP(c *net.UDPConn, port uint16) error {
	var question [identity.QuestionSize + 1]byte // one more shows what is too long
	var control [64]byte
	answer := make([]byte, 0, identity.DatagramAnswerSize)
	for {
		n, controls, _, from, err := c.ReadMsgUDPAddrPort(question[:], control[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("read questions to backends: %w", err)
		}
		info := packetInfo(control[:controls])
		if info == nil {
			continue
		}
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte(info[8:12])), port)
		reply, ok := identity.AppendReply(answer, question[:n], local)
		if !ok {
			continue
		}
		// The answer leaves from the address (ipi_spec_dst) that the
		// question was sent to (ipi_addr), by whatever link.
		clear(info[:4])
		copy(info[4:8], info[8:12])
		// A client that has gone is its own affair.
		if _, _, err := c.WriteMsgUDPAddrPort(reply, control[:controls], from); errors.Is(err, net.ErrClosed) {
			return nil
		}
	}
}

// packetInfo returns the struct in_pktinfo that is the only control message:
// link index, ipi_spec_dst and ipi_addr, 4 bytes each (ip(7)).
func packetInfo(control []byte) []byte {
	const size = 12
	header := unix.CmsgLen(0)
	if len(control) < header+size {
		return nil
	}
	// Beside its length, which is a machine word, the header ends with level
	// and type, 4 bytes each.
	level := binary.NativeEndian.Uint32(control[header-8:])
	kind := binary.NativeEndian.Uint32(control[header-4:])
	if level != unix.IPPROTO_IP || kind != unix.IP_PKTINFO {
		return nil
	}
	return control[header : header+size]
}
