package poll_test

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/poll"
)

func open(t *testing.T) *poll.Poller {
	t.Helper()
	p, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// wait returns a copy of what Wait does.
func wait(t *testing.T, p *poll.Poller, until int64) []poll.Event {
	t.Helper()
	events, err := p.Wait(until)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(events)
}

// pair returns two connected sockets.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(unix.Close(fds[0]), unix.Close(fds[1])) })
	return fds[0], fds[1]
}

func write(t *testing.T, fd int) {
	t.Helper()
	if _, err := unix.Write(fd, []byte{1}); err != nil {
		t.Fatal(err)
	}
}

// signals is how many waits signals may end before anything happens.
const signals = 10

// pass waits until the time has come, in which nothing happens.
func pass(t *testing.T, p *poll.Poller, until int64) {
	t.Helper()
	waits := 0
	for ; agent.Now() < until; waits++ {
		if events := wait(t, p, until); len(events) > 0 {
			t.Fatalf("events %v, want none", events)
		}
	}
	if waits > signals {
		t.Errorf("waited %d times for one point in time", waits)
	}
}

func TestTimer(t *testing.T) {
	p := open(t)
	for _, d := range []time.Duration{2 * time.Millisecond, time.Microsecond, -time.Second, 0, 3 * time.Millisecond} {
		pass(t, p, agent.Now()+d.Nanoseconds())
	}
	// A time that has passed does not wait, not even when given again.
	past := agent.Now()
	for range 3 {
		if events := wait(t, p, past); len(events) > 0 {
			t.Errorf("events %v, want none", events)
		}
	}
	// A timer that has expired must not end waits for something else.
	a, b := pair(t)
	if err := p.Add(a, unix.EPOLLIN, 1); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _, _ = unix.Write(b, []byte{1}) })
	empty := 0
	for len(wait(t, p, poll.Never)) == 0 {
		empty++
	}
	if empty > signals {
		t.Errorf("waited in vain %d times", empty)
	}
}

func TestEvents(t *testing.T) {
	p := open(t)
	tags := []int32{0, 1, -1, math.MaxInt32, math.MinInt32}
	other := map[int32]int{}
	for _, tag := range tags {
		a, b := pair(t)
		if err := p.Add(a, unix.EPOLLIN, tag); err != nil {
			t.Fatal(err)
		}
		other[tag] = b
	}
	if events := wait(t, p, poll.Now); len(events) > 0 {
		t.Errorf("events %v before any happened", events)
	}
	for _, tag := range tags {
		write(t, other[tag])
		p.Wake() // is not to be seen
		if got, want := wait(t, p, poll.Now), (poll.Event{Tag: tag, Flags: unix.EPOLLIN}); !slices.Equal(got, []poll.Event{want}) {
			t.Errorf("events %v, want %v", got, want)
		}
		if got := wait(t, p, poll.Now); len(got) > 0 {
			t.Errorf("events %v once more", got)
		}
	}
	if err := unix.Shutdown(other[1], unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, p, poll.Now); len(got) != 1 || got[0].Tag != 1 || !got[0].Failed() {
		t.Errorf("events %v, want a failure of 1", got)
	}
	// What happened before Add is reported.
	a, _ := pair(t)
	if err := p.Add(a, unix.EPOLLIN|unix.EPOLLOUT, 7); err != nil {
		t.Fatal(err)
	}
	if got, want := wait(t, p, poll.Now), (poll.Event{Tag: 7, Flags: unix.EPOLLOUT}); !slices.Equal(got, []poll.Event{want}) {
		t.Errorf("events %v, want %v", got, want)
	}
	if err := p.Add(a, unix.EPOLLIN, 8); err != unix.EEXIST { // bare, as documented
		t.Errorf("added twice: %v, want %v", err, unix.EEXIST)
	}
}

func TestWake(t *testing.T) {
	p := open(t)
	for range 100 {
		p.Wake() // ends the next
		wait(t, p, poll.Never)
		woken := make(chan struct{})
		go func() { // ends the current, or the next
			defer close(woken)
			p.Wake()
		}()
		wait(t, p, poll.Never)
		<-woken
	}
	// One Wait is ended, not all later ones.
	p.Wake()
	p.Wake()
	wait(t, p, poll.Now)
	pass(t, p, agent.Now()+time.Millisecond.Nanoseconds())
}

func TestWakeWhileClosing(t *testing.T) {
	p := open(t)
	var wakers sync.WaitGroup
	for range 4 {
		wakers.Go(func() {
			for range 1000 {
				p.Wake()
			}
		})
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	wakers.Wait()
	// The three descriptors may be those of others now.
	a, b := pair(t)
	c, d := pair(t)
	p.Wake()
	for _, fd := range []int{a, b, c, d} {
		if _, err := unix.Read(fd, make([]byte, 8)); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("read from %d: %v, want nothing to be there", fd, err)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	p := open(t)
	n := testing.AllocsPerRun(100, func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(fd, unix.EPOLLOUT, int32(fd)); err != nil {
			t.Fatal(err)
		}
		p.Wake()
		for _, until := range []int64{agent.Now() + 1000, poll.Now, agent.Now() + 1000} {
			if _, err := p.Wait(until); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
