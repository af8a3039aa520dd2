package flow

import (
	"net"
	"net/netip"
	"time"

	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/identity"
)

// datagrams asks from one socket whose port never changes.
type datagrams struct {
	target netip.AddrPort
	port   uint16
	conn   *net.UDPConn
	cookie datagram.Cookies
}

func (d *datagrams) connection() int { return 1 }

func (d *datagrams) close() {
	if d.conn != nil {
		_ = d.conn.Close() // nothing more is read from it
	}
}

// ask sends a question and waits for its answer; those to earlier ones are late
// and count no more.
func (d *datagrams) ask(deadline time.Time) (from netip.Addr, err error) {
	if d.conn == nil {
		if d.conn, err = net.DialUDP("udp4", &net.UDPAddr{Port: int(d.port)}, net.UDPAddrFromAddrPort(d.target)); err != nil {
			return from, err
		}
		d.cookie = datagram.NewCookies()
	}
	cookie := d.cookie.Next()
	question := identity.Query(cookie)
	if err := d.conn.SetDeadline(deadline); err != nil {
		return from, err
	}
	if _, err := d.conn.Write(question[:]); err != nil {
		return from, err
	}
	answer := make([]byte, identity.DatagramAnswerSize+1)
	for {
		n, err := d.conn.Read(answer)
		if err != nil {
			return from, err
		}
		if who, ok := identity.Reply(answer[:n], cookie); ok {
			return who.Addr(), nil
		}
	}
}
