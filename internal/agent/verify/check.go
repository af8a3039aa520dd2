package verify

import (
	"net/netip"

	"svcbench/internal/agent/probe"
)

// check is the judgement on one target. It knows no network.
type check struct {
	result  TargetResult
	least   int64                   // attempts to make and to count
	missing map[netip.Addr]struct{} // wanted and not seen yet
	wanted  map[netip.Addr]struct{} // nil if nobody should answer
}

// newCheck returns the check of a target of which sample different endpoints
// suffice; 0 means all.
func newCheck(t Target, sample int) *check {
	c := &check{least: int64(t.Attempts), result: TargetResult{
		ID: t.ID, Addr: t.Addr, Needed: silences,
		Wrong: map[netip.Addr]int64{}, Errors: map[string]int64{},
	}}
	if t.Attempts > 0 {
		c.result.Answers = map[netip.Addr]int64{}
	}
	if len(t.Want) == 0 {
		return c
	}
	c.wanted, c.missing = map[netip.Addr]struct{}{}, map[netip.Addr]struct{}{}
	for _, ip := range t.Want {
		c.wanted[ip], c.missing[ip] = struct{}{}, struct{}{}
	}
	c.result.Needed = len(c.wanted) // not len(t.Want): it may hold one twice
	if sample > 0 {
		c.result.Needed = min(sample, c.result.Needed)
	}
	return c
}

// done reports whether the target does what it should.
func (c *check) done() bool { return c.result.Complete != 0 }

// add counts an attempt.
func (c *check) add(o probe.Outcome) {
	r := &c.result
	r.Attempts++
	if !o.Answered() {
		r.Errors[o.Failure]++
	}
	switch {
	case c.wanted == nil:
		c.addSilence(o)
	case o.Answered():
		c.addAnswer(o)
	}
	if r.Complete == 0 && r.Seen >= r.Needed && r.Attempts >= c.least {
		r.Complete = o.End
	}
}

func (c *check) addAnswer(o probe.Outcome) {
	r, from := &c.result, o.From.Addr()
	if _, ok := c.wanted[from]; !ok {
		r.Wrong[from]++
		return
	}
	if r.Attempts <= c.least {
		r.Answers[from]++
	}
	if _, ok := c.missing[from]; ok {
		delete(c.missing, from)
		r.Seen++
	}
	// Outcomes come in the order of their ends, not of their starts.
	if r.FirstOK == 0 || o.Start < r.FirstOK {
		r.FirstOK = o.Start
	}
}

func (c *check) addSilence(o probe.Outcome) {
	r := &c.result
	switch {
	case c.done():
	case o.Silent():
		if r.Seen++; r.Seen == 1 || o.Start < r.FirstOK {
			r.FirstOK = o.Start
		}
		return
	default: // somebody is there, or the client itself failed
		r.Seen, r.FirstOK = 0, 0
	}
	if o.Answered() {
		r.Wrong[o.From.Addr()]++
	}
}
