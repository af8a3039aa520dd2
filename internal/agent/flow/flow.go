// Package flow keeps connections to Services open, asks on them again and again,
// and notes who answers. New connections follow the rules of a node; those that
// were there before a change may not, and clients with a pool of connections have
// hardly any others.
//
// A flow of TCP is an HTTP connection that is kept alive, and opened anew when it
// breaks or a request gets no answer in time, as clients do. One of UDP is a
// socket whose source port stays, so that the node takes all its datagrams for one
// connection; it is never opened anew.
//
// Serve is the end that runs at the client, Run the end that runs beside the
// runner.
package flow

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"svcbench/internal/agent"
)

// Name is what a runner launches: "svcbench agent flow".
const Name = "flow"

// Defaults of a Spec.
const (
	DefaultInterval = 50 * time.Millisecond
	DefaultTimeout  = time.Second
)

// Spec says which flows to keep.
type Spec struct {
	// Targets are where flows lead, one flow each.
	Targets []netip.AddrPort `json:"targets"`
	// Protocol is spoken to all targets; the zero value means TCP.
	Protocol agent.Protocol `json:"protocol,omitempty"`
	// Interval is the time between two questions on one flow; zero means
	// DefaultInterval.
	Interval time.Duration `json:"interval,omitempty"`
	// Timeout is when a question on a flow of TCP is given up, and the flow opened
	// anew; zero means DefaultTimeout. One of UDP is given up after an Interval.
	Timeout  time.Duration `json:"timeout,omitempty"`
	Duration time.Duration `json:"duration"`
}

// Flow is what became of one flow.
type Flow struct {
	Target netip.AddrPort `json:"target"`
	// Stretches are in the order of time.
	Stretches []Stretch `json:"stretches"`
}

// Stretch is a time in which questions had the same fate: they were answered by
// one pod on one connection, or failed in one way. Times are ns of
// CLOCK_MONOTONIC, those at which questions were asked.
type Stretch struct {
	// From is who answered; invalid if nobody did.
	From netip.Addr `json:"from,omitzero"`
	// Failure is the kind of failure (see errkind); empty if From answered.
	Failure string `json:"failure,omitempty"`
	// Connection counts the connections of the flow from 1: that of UDP stays 1.
	Connection int `json:"connection"`
	// First and Last are the first question and the last.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Questions is how many there were.
	Questions int64 `json:"questions"`
}

// Run starts the agent, lets it keep the flows for the duration and returns what
// became of them, in the order of the targets.
func Run(ctx context.Context, l agent.Launcher, spec Spec) ([]Flow, error) {
	flows, err := agent.Exchange[[]Flow](ctx, l, Name, spec)
	if err != nil {
		return nil, err
	}
	return *flows, nil
}

// withDefaults returns the Spec with every field set, or what is wrong.
func (s Spec) withDefaults() (Spec, error) {
	if s.Interval == 0 {
		s.Interval = DefaultInterval
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Interval < 0 || s.Timeout < 0 || s.Duration <= 0 {
		return s, fmt.Errorf("flow: interval %v, time-out %v and duration %v must be positive", s.Interval, s.Timeout, s.Duration)
	}
	for _, t := range s.Targets {
		if !t.Addr().Is4() || t.Port() == 0 {
			return s, fmt.Errorf("flow: target %v is not an IPv4 address with a port", t)
		}
	}
	if err := s.Protocol.Check(); err != nil {
		return s, fmt.Errorf("flow: %w", err)
	}
	return s, nil
}

// add notes the fate of a question that was asked at a time.
func (f *Flow) add(at int64, connection int, from netip.Addr, failure string) {
	if n := len(f.Stretches); n > 0 {
		last := &f.Stretches[n-1]
		if last.From == from && last.Failure == failure && last.Connection == connection {
			last.Last = at
			last.Questions++
			return
		}
	}
	f.Stretches = append(f.Stretches, Stretch{From: from, Failure: failure, Connection: connection, First: at, Last: at, Questions: 1})
}
