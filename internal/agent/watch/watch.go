// Package watch sees with traffic how long a change to a Service takes. For
// each change it opens a new identity connection at a fixed pace and notes who
// answered: the first connection that reached a new endpoint, the last one
// that still reached an old one.
//
// Serve is the end that runs at the client, Start the end that runs beside the
// runner. One agent watches many changes at once.
package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/probe"
)

// Name is what a runner launches: "svcbench agent watch".
const Name = "watch"

// Defaults of a Command.
const (
	DefaultInterval       = time.Millisecond
	DefaultSettle         = 100 * time.Millisecond
	DefaultTimeout        = 30 * time.Second
	DefaultAttemptTimeout = 200 * time.Millisecond
)

// A change that is not seen for so long is watched less often: what is then known
// of its time is still known to a part in 300.
const (
	LongWatch    = 3 * time.Second
	LongInterval = 10 * time.Millisecond
)

// Command is one change to watch.
type Command struct {
	// ID is the caller's; no two watches of a Watcher may have the same.
	ID   int            `json:"id"`
	Addr netip.AddrPort `json:"addr"`
	// Protocol is spoken to Addr; the zero value means TCP.
	Protocol agent.Protocol `json:"protocol,omitempty"`
	// New are the endpoints that should answer after the change, Old those
	// that should not any more. One of them may be empty.
	New []netip.Addr `json:"new,omitempty"`
	Old []netip.Addr `json:"old,omitempty"`
	// AnyNew makes every endpoint a new one that is neither old nor stays, for
	// changes of which nobody knows beforehand who will answer.
	AnyNew bool `json:"anyNew,omitempty"`
	// Stay are endpoints that answer before the change and after it.
	Stay []netip.Addr `json:"stay,omitempty"`
	// Dark says that the old endpoints do not answer: a connection without an
	// answer has reached one.
	Dark bool `json:"dark,omitempty"`
	// Interval is the time between the starts of two connections; zero means
	// DefaultInterval. A watch of more than LongWatch goes on with LongInterval,
	// if that is longer.
	Interval time.Duration `json:"interval,omitempty"`
	// Settle is how long no old endpoint may answer until the removal counts
	// as certain; zero means DefaultSettle. Where nobody else could answer it
	// is at least twice AttemptTimeout, and where others answer too as long as
	// it takes until it cannot be by chance that none of the old ones did.
	Settle time.Duration `json:"settle,omitempty"`
	// Timeout is when to give up, counted from the beginning of the watch;
	// zero means DefaultTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// AttemptTimeout ends a connection without an answer; zero means
	// DefaultAttemptTimeout, the most is probe.MaxTimeout.
	AttemptTimeout time.Duration `json:"attemptTimeout,omitempty"`
}

// Seen is what traffic saw of a change. Times are ns of CLOCK_MONOTONIC, with
// the meaning they have in results.Change; 0 means that it did not happen
// before GaveUp (a censored observation).
type Seen struct {
	ID int `json:"id"`
	// FirstNew is the start of the first connection answered by a new
	// endpoint.
	FirstNew int64 `json:"firstNew,omitempty"`
	// NewFrom is that endpoint.
	NewFrom netip.Addr `json:"newFrom,omitzero"`
	// LastOld is the start of the last connection answered by an old
	// endpoint. The watch begins before the change, so this can be earlier.
	LastOld int64 `json:"lastOld,omitempty"`
	// OldSettled is when it became certain that no connection reaches an old
	// endpoint any more: Settle after FirstNew or LastOld, whichever is
	// later, when every connection started until then has ended, and one
	// after that, and at least one of them was answered by a new endpoint.
	// Without old endpoints it is FirstNew, without new ones Settle after
	// LastOld.
	OldSettled int64 `json:"oldSettled,omitempty"`
	// GaveUp is when observation ended, with or without a result.
	GaveUp int64 `json:"gaveUp"`
	// LastFailed is the start of the last connection that got no answer, or that
	// of a stranger; 0 if every one was answered.
	LastFailed int64 `json:"lastFailed,omitempty"`
	// Probes counts connections that have ended.
	Probes int64 `json:"probes"`
	// Errors counts connections without an answer, or with that of a
	// stranger, by kind (see errkind).
	Errors map[string]int64 `json:"errors,omitempty"`
}

// The talk: requests go to the agent, events come from it. A watch is answered
// by one event with Watching or Rejected, and after Watching by one with Seen.
// The agent ends when the runner closes its end.
type (
	request struct {
		Watch *Command `json:"watch,omitempty"`
		// Cancel ends the watch of that ID without another word.
		Cancel *int `json:"cancel,omitempty"`
	}

	event struct {
		ID       int    `json:"id"`
		Watching bool   `json:"watching,omitempty"`
		Rejected string `json:"rejected,omitempty"`
		Seen     *Seen  `json:"seen,omitempty"`
	}
)

// withDefaults returns the Command with every field set, or what is wrong.
func (c Command) withDefaults() (Command, error) {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&c.Interval, DefaultInterval}, {&c.Settle, DefaultSettle},
		{&c.Timeout, DefaultTimeout}, {&c.AttemptTimeout, DefaultAttemptTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
		if *d.value < 0 {
			return c, errors.New("intervals and time-outs must be positive")
		}
	}
	if c.AttemptTimeout > probe.MaxTimeout {
		return c, fmt.Errorf("time-out %v of a connection is above %v", c.AttemptTimeout, probe.MaxTimeout)
	}
	if err := c.Protocol.Check(); err != nil {
		return c, err
	}
	if c.Dark && len(c.Stay)+len(c.New) == 0 && !c.AnyNew {
		return c, errors.New("dark old endpoints, and nobody else to answer")
	}
	if len(c.New) == 0 && len(c.Old) == 0 && !c.AnyNew {
		return c, errors.New("neither new nor old endpoints to watch for")
	}
	for _, ip := range c.New {
		for _, old := range c.Old {
			if ip == old {
				return c, fmt.Errorf("%v is both a new and an old endpoint", ip)
			}
		}
	}
	return c, nil
}
