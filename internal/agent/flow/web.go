package flow

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"svcbench/internal/agent/backend"
)

// web asks by HTTP on a connection that is kept.
type web struct {
	target netip.AddrPort
	conn   net.Conn // nil when it must be opened
	read   *bufio.Reader
	opened int
}

func (w *web) connection() int { return w.opened }

func (w *web) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing more is read from it
		w.conn = nil
	}
}

// ask sends a request. After a failure the next one goes over a new connection.
func (w *web) ask(deadline time.Time) (from netip.Addr, err error) {
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.conn == nil {
		w.opened++
		if w.conn, err = net.DialTimeout("tcp4", w.target.String(), time.Until(deadline)); err != nil {
			return from, err
		}
		w.read = bufio.NewReader(w.conn)
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return from, err
	}
	if _, err := io.WriteString(w.conn, "GET / HTTP/1.1\r\nHost: backend\r\n\r\n"); err != nil {
		return from, err
	}
	response, err := http.ReadResponse(w.read, nil)
	if err != nil {
		return from, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return from, err
	}
	who, err := netip.ParseAddrPort(response.Header.Get(backend.Header))
	if err != nil {
		return from, fmt.Errorf("an answer of no backend: %w", err)
	}
	return who.Addr(), nil
}
