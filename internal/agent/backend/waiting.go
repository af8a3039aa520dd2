package backend

import (
	"net"
	"sync"
	"time"
)

// waiting is the connections that have said nothing yet. Each has a goroutine,
// which ends when the client speaks, after the time of silence or with close.
type waiting struct {
	mu     sync.Mutex
	conns  map[*net.TCPConn]struct{}
	ended  bool
	closed chan struct{}
	wg     sync.WaitGroup
}

func newWaiting() *waiting {
	return &waiting{conns: map[*net.TCPConn]struct{}{}, closed: make(chan struct{})}
}

// wait hands c to next with its first byte, or closes it.
func (w *waiting) wait(c *net.TCPConn, next func(*net.TCPConn, byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		c.Close()
		return
	}
	w.conns[c] = struct{}{}
	w.wg.Go(func() {
		var first [1]byte
		err := c.SetReadDeadline(time.Now().Add(silence))
		if err == nil {
			_, err = c.Read(first[:])
		}
		w.mu.Lock()
		delete(w.conns, c)
		w.mu.Unlock()
		if err != nil {
			c.Close()
			return
		}
		if c.SetReadDeadline(time.Time{}) == nil {
			next(c, first[0])
		}
	})
}

// pause waits for d; it returns false as soon as everything ends.
func (w *waiting) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.closed:
		return false
	}
}

// close drops all connections; later ones are dropped at once. Their
// goroutines end soon after: see finish.
func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.ended = true
	close(w.closed)
	for c := range w.conns {
		c.Close()
	}
}

// finish waits for the goroutines to end. Those that hand on a connection need
// somebody to take it until then.
func (w *waiting) finish() { w.wg.Wait() }
