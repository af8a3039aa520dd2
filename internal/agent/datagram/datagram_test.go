package datagram_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/datagram"
)

// Ports to one target do not come back for half a minute, nor do those of an
// agent that begins later.
func TestPortsComeBackLate(t *testing.T) {
	begin := (100 * time.Hour).Nanoseconds()
	used := map[uint16]int64{}
	first, second := datagram.NewSource(datagram.Lower), datagram.NewSource(datagram.Lower)
	use := func(s *datagram.Source, at int64) {
		port := s.Next(at)
		if port < 1024 {
			t.Fatalf("port %d belongs to the system", port)
		}
		if before, ok := used[port]; ok && time.Duration(at-before) < 30*time.Second {
			t.Fatalf("port %d comes back after %v", port, time.Duration(at-before))
		}
		used[port] = at
	}
	at := begin
	for ; at < begin+(25*time.Second).Nanoseconds(); at += time.Millisecond.Nanoseconds() {
		use(&first, at)
	}
	for ; at < begin+(80*time.Second).Nanoseconds(); at += (5 * time.Millisecond).Nanoseconds() {
		use(&second, at)
	}
}

func TestPortsInABurst(t *testing.T) {
	used := map[uint16]bool{}
	for _, half := range []datagram.Half{datagram.Lower, datagram.Upper} {
		s := datagram.NewSource(half)
		for range 32_000 {
			port := s.Next(1)
			if used[port] || port < 1024 {
				t.Fatalf("port %d is the system's, or was given out before", port)
			}
			used[port] = true
		}
	}
}

func TestCookies(t *testing.T) {
	a, b := datagram.NewCookies(), datagram.NewCookies()
	if x, y, z := a.Next(), a.Next(), b.Next(); x == y || x == z || x < 1<<63 {
		t.Errorf("cookies %x, %x and %x", x, y, z)
	}
}

func TestOpenSharesPorts(t *testing.T) {
	o := datagram.NewOpener()
	const port = 43210
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for range 2 {
		fd, err := o.Open(port)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		at, err := unix.Getsockname(fd)
		if err != nil || at.(*unix.SockaddrInet4).Port != port {
			t.Errorf("bound to %+v, %v", at, err)
		}
	}
	if _, err := unix.Read(fds[0], make([]byte, 1)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("read of nothing: %v, want it not to wait", err)
	}
}
