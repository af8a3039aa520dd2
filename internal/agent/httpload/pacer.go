package httpload

import (
	"context"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/sys/unix"
)

// fine is the end of a wait that is left to the kernel: the Go runtime may
// sleep up to a millisecond too long, because it waits in epoll_wait, which
// counts milliseconds.
const fine = 2 * time.Millisecond

// pacer is the schedule: request i is due at begin + i/rate. vegeta's own
// pacer rounds the interval and counts from a beginning that it does not tell.
type pacer struct {
	ctx      context.Context
	begin    time.Time
	rate     int64
	timeout  time.Duration
	requests []request // in the order of sending
	next     int       // in the schedule
	// counted is the first of the schedule that is counted, dropped the
	// number of those from there on that were not sent. It may be read when
	// the attack is over.
	counted int
	dropped int64
}

var _ vegeta.Pacer = (*pacer)(nil)

// due returns when a request is due after begin.
func (p *pacer) due(i int) time.Duration {
	return time.Duration(int64(i) * int64(time.Second) / p.rate)
}

// within returns how many requests are due in the first d.
func (p *pacer) within(d time.Duration) int {
	return int((d.Nanoseconds()*p.rate + int64(time.Second) - 1) / int64(time.Second))
}

// Pace is called before each request is sent, always by the same goroutine. It
// returns when the request is due, so that vegeta need not wait. What is late
// by more than the time-out is dropped: a target that hangs would otherwise
// make the load last many times as long as it should.
func (p *pacer) Pace(_ time.Duration, hits uint64) (wait time.Duration, stop bool) {
	for p.next < len(p.requests) && time.Since(p.begin)-p.due(p.next) > p.timeout {
		if p.next >= p.counted {
			p.dropped++
		}
		p.next++
	}
	if p.next == len(p.requests) || !p.sleep(p.due(p.next)) {
		return 0, true
	}
	p.requests[hits].number = p.next
	p.next++
	return 0, false
}

// sleep waits until d after begin; it returns false as soon as ctx ends.
func (p *pacer) sleep(d time.Duration) bool {
	if coarse := d - time.Since(p.begin) - fine; coarse > 0 {
		t := time.NewTimer(coarse)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.ctx.Done():
			return false
		}
	}
	for left := d - time.Since(p.begin); left > 0; left = d - time.Since(p.begin) {
		ts := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.Nanosleep(&ts, nil) // a signal may end it early
	}
	return p.ctx.Err() == nil
}

// Rate is part of vegeta.Pacer.
func (p *pacer) Rate(time.Duration) float64 { return float64(p.rate) }
