package backend

import (
	"net"
	"testing"
	"time"
)

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// A client that speaks late is served; one that has said nothing is dropped
// when the backend ends.
func TestWaiting(t *testing.T) {
	w := newWaiting()
	late, lateServer := tcpPair(t)
	mute, muteServer := tcpPair(t)
	served := make(chan byte, 2)
	next := func(_ *net.TCPConn, first byte) { served <- first }
	w.wait(lateServer, next)
	w.wait(muteServer, next)
	if _, err := late.Write([]byte("G")); err != nil {
		t.Fatal(err)
	}
	if got := <-served; got != 'G' {
		t.Errorf("first byte %q", got)
	}
	w.close()
	w.finish()
	if _, err := mute.Read(make([]byte, 1)); err == nil {
		t.Error("silent client was not dropped")
	}
	if w.pause(time.Hour) {
		t.Error("pause after close went on")
	}
	after, afterServer := tcpPair(t)
	w.wait(afterServer, next)
	if _, err := after.Read(make([]byte, 1)); err == nil {
		t.Error("client after close was not dropped")
	}
	w.finish()
	if len(served) != 0 {
		t.Error("a silent client was served")
	}
}
