package probe

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A rule that rejects a SYN answers with an ICMP message. Where the whole path
// is virtual links of one machine, that comes while connect is still at work on
// the socket, and then the kernel does not let it end the connection: it sends
// the SYN again after a second, and an attempt that does not live so long would
// take the refusal for silence. The kernel does keep such messages, if asked to.

// askForErrors makes the kernel keep what it is told of the socket's packets.
func askForErrors(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
}

// told returns the error that such a message stands for, errPending if there is
// none.
func told(fd int) error {
	var control [128]byte
	_, n, _, _, err := unix.Recvmsg(fd, nil, control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return pending(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR && len(m.Data) >= 4 {
			// struct sock_extended_err begins with the error's number.
			return unix.Errno(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return errPending
}
