package watch

import (
	"net/netip"
	"time"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
)

// observation judges what happens to one change. It knows no network and no
// clock.
type observation struct {
	seen     Seen
	new, old map[netip.Addr]struct{}
	stay     map[netip.Addr]struct{}
	anyNew   bool
	dark     bool
	choice   int64 // how many endpoints answer in turns, if others than old ones do
	settle   int64
	long     int64 // when it becomes a long watch
	giveUp   int64
	lastNew  int64 // the start of the last connection answered by a new one
	lastStay int64 // and by one that stays
	last     int64 // the start of the last connection that has ended
}

// newObservation observes what the Command says, from the time start on.
func newObservation(c Command, start int64) *observation {
	settle := c.Settle
	if len(c.New)+len(c.Stay) == 0 && !c.AnyNew {
		// Nobody is left to answer, so that a stall of the old ones looks like
		// their end: it must be longer than connections wait.
		settle = max(settle, 2*c.AttemptTimeout)
	}
	o := &observation{
		seen:   Seen{ID: c.ID, Errors: map[string]int64{}},
		new:    set(c.New),
		old:    set(c.Old),
		stay:   set(c.Stay),
		anyNew: c.AnyNew,
		dark:   c.Dark,
		settle: settle.Nanoseconds(),
		long:   start + LongWatch.Nanoseconds(),
		giveUp: start + c.Timeout.Nanoseconds(),
	}
	if len(c.Stay) > 0 {
		o.choice = int64(len(c.New) + len(c.Old) + len(c.Stay))
	}
	o.pace(c.Interval)
	return o
}

// pace makes sure that so many connections settle the change that none of them
// has missed the old endpoints by chance: of n endpoints that are chosen from at
// random, one is missed k times with a probability of (1-1/n)^k < exp(-k/n).
func (o *observation) pace(interval time.Duration) {
	const sure = 14 // one in a million
	o.settle = max(o.settle, sure*o.choice*interval.Nanoseconds())
}

func set(ips []netip.Addr) map[netip.Addr]struct{} {
	s := make(map[netip.Addr]struct{}, len(ips))
	for _, ip := range ips {
		s[ip] = struct{}{}
	}
	return s
}

// add counts a connection that has ended. Connections may end in another order
// than they began, so first and last are those of their starts.
func (o *observation) add(out probe.Outcome) {
	s := &o.seen
	s.Probes++
	o.last = max(o.last, out.Start)
	if !out.Answered() {
		s.Errors[out.Failure]++
		s.LastFailed = max(s.LastFailed, out.Start)
		if o.dark {
			s.LastOld = max(s.LastOld, out.Start)
		}
		return
	}
	from := out.From.Addr()
	_, isNew := o.new[from]
	_, isOld := o.old[from]
	if _, stays := o.stay[from]; stays {
		o.lastStay = max(o.lastStay, out.Start)
		return
	}
	if isNew || o.anyNew && !isOld {
		if s.FirstNew == 0 || out.Start < s.FirstNew {
			s.FirstNew, s.NewFrom = out.Start, from
		}
		o.lastNew = max(o.lastNew, out.Start)
		return
	}
	if isOld {
		s.LastOld = max(s.LastOld, out.Start)
		return
	}
	s.Errors[errkind.WrongBackend]++
	s.LastFailed = max(s.LastFailed, out.Start)
}

// over reports whether there is nothing more to see at the time now, and
// completes what was seen. oldest is the start of the oldest connection that
// has not ended, 0 if there is none.
func (o *observation) over(now, oldest int64) bool {
	at := o.certain()
	// All connections that began until then must have had their say, and one
	// that began no earlier too: time in which nobody asked proves nothing.
	if at != 0 && o.last >= at && (oldest == 0 || oldest > at) {
		o.seen.OldSettled = at
	} else if now < o.giveUp {
		return false
	}
	o.seen.GaveUp = now
	return true
}

// certain returns when the outcome of the change is certain by what was seen
// so far; 0 if that cannot be said yet.
func (o *observation) certain() int64 {
	s := &o.seen
	turned := max(s.FirstNew, s.LastOld)
	switch {
	case len(o.old) == 0:
		return s.FirstNew
	case len(o.new) == 0 && !o.anyNew:
		if s.LastOld == 0 { // perhaps the old ones have not begun to answer
			return 0
		}
		if len(o.stay) > 0 && o.lastStay <= turned+o.settle {
			return 0 // silence of the old ones alone could be that of all
		}
	case s.FirstNew == 0 || o.lastNew <= turned:
		return 0 // here too
	}
	return turned + o.settle
}
