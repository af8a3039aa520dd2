package backend

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// backendKey finds the backend of a connection in its context.
type backendKey struct{}

// withBackend stores the address of this end, once a connection.
func withBackend(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, backendKey{}, c.LocalAddr().String())
}

// answer says which pod IP and port was asked, whatever the question.
func answer(w http.ResponseWriter, r *http.Request) {
	backend, _ := r.Context().Value(backendKey{}).(string)
	h := w.Header()
	h[Header] = []string{backend}
	h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	h["Date"] = nil // saves work on every answer
	_, _ = io.WriteString(w, backend+"\n")
}

// resumed is a connection of which one byte was read already.
type resumed struct {
	net.Conn
	first   byte
	pending bool
}

// Read returns the byte that was read first, then the rest.
func (r *resumed) Read(p []byte) (int, error) {
	if !r.pending || len(p) == 0 {
		return r.Conn.Read(p)
	}
	p[0], r.pending = r.first, false
	return 1, nil
}

// handOver is a net.Listener of connections that were accepted elsewhere.
type handOver struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newHandOver(addr net.Addr) *handOver {
	return &handOver{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give passes c on, or closes it after Close.
func (h *handOver) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		c.Close()
	}
}

// Accept is part of net.Listener.
func (h *handOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (h *handOver) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is part of net.Listener.
func (h *handOver) Addr() net.Addr { return h.addr }
