// Package verify finds out by traffic whether Services lead to the endpoints
// they should. It keeps opening identity connections to every target until
// every wanted endpoint has answered, and tells when that was.
//
// Serve is the end that runs at the client, Run the end that runs beside the
// runner.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/probe"
)

// Name is what a runner launches: "svcbench agent verify".
const Name = "verify"

// Defaults of a Spec.
const (
	DefaultInterval       = 2 * time.Millisecond
	DefaultTimeout        = time.Minute
	DefaultAttemptTimeout = 200 * time.Millisecond
	DefaultParallel       = 64
)

// silences is how many attempts in a row must meet nobody before a target
// that should not answer counts as silent: one lost packet is no evidence.
const silences = 3

// Spec says what must be true.
type Spec struct {
	Targets []Target `json:"targets"`
	// Protocol is spoken to all targets; the zero value means TCP.
	Protocol agent.Protocol `json:"protocol,omitempty"`
	// Interval is the time between the starts of two attempts to the same
	// target; zero means DefaultInterval.
	Interval time.Duration `json:"interval,omitempty"`
	// Timeout is when to give up; zero means DefaultTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// AttemptTimeout ends an attempt without an answer; zero means
	// DefaultAttemptTimeout, the most is probe.MaxTimeout.
	AttemptTimeout time.Duration `json:"attemptTimeout,omitempty"`
	// Parallel is how many attempts may be under way at once, over all
	// targets; zero means DefaultParallel. Targets take turns.
	Parallel int `json:"parallel,omitempty"`
	// Sample is how many different endpoints of a target suffice; zero means
	// all that are wanted. To meet all n endpoints behind random balancing
	// takes about n ln n attempts (the coupon collector's problem).
	Sample int `json:"sample,omitempty"`
}

// Target is an address and who should answer there.
type Target struct {
	// ID names the target in the result.
	ID   string         `json:"id"`
	Addr netip.AddrPort `json:"addr"`
	// Want are the endpoints that should answer; none means that nobody
	// should: attempts are refused or hear nothing.
	Want []netip.Addr `json:"want,omitempty"`
	// Attempts, if positive, is how many connections are made at least, and
	// counted in TargetResult.Answers, whatever the first of them tell.
	Attempts int `json:"attempts,omitempty"`
}

// Result is what was found. Times are ns of CLOCK_MONOTONIC.
type Result struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Targets are in the order of the Spec.
	Targets []TargetResult `json:"targets"`
}

// TargetResult is what was found of one target.
type TargetResult struct {
	ID   string         `json:"id"`
	Addr netip.AddrPort `json:"addr"`
	// FirstOK is the start of the first connection answered by a wanted
	// endpoint, or, where nobody should answer, of the first one of the
	// silence. 0 means that there was none.
	FirstOK int64 `json:"firstOK,omitempty"`
	// Complete is when enough wanted endpoints had answered, or the silence
	// was certain, and Target.Attempts had been made; 0 means that it did
	// not come to that.
	Complete int64 `json:"complete,omitempty"`
	// Seen and Needed count different wanted endpoints; where nobody should
	// answer, attempts that met nobody in a row.
	Seen   int `json:"seen"`
	Needed int `json:"needed"`
	// Attempts counts connections that have ended.
	Attempts int64 `json:"attempts"`
	// Answers counts who of the wanted endpoints answered the first
	// Target.Attempts connections that ended: a number that nothing but the
	// Spec decides, so that the counts may be tested against chance.
	Answers map[netip.Addr]int64 `json:"answers,omitempty"`
	// Wrong counts answers of others than the wanted endpoints.
	Wrong map[netip.Addr]int64 `json:"wrong,omitempty"`
	// Errors counts attempts without an answer, by kind (see errkind).
	Errors map[string]int64 `json:"errors,omitempty"`
}

// Run starts the agent and returns what it found. That targets have not
// converged in time is no error: ask the Result.
func Run(ctx context.Context, l agent.Launcher, spec Spec) (*Result, error) {
	return agent.Exchange[Result](ctx, l, Name, spec)
}

// Converged reports whether every target does what it should.
func (r *Result) Converged() bool { return len(r.lacking()) == 0 }

// Reason says in one line which targets do not do what they should, naming
// the first few; it is empty if all do.
func (r *Result) Reason() string {
	const named = 3
	lacking := r.lacking()
	if len(lacking) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d targets not as wanted after %v: ", len(lacking), len(r.Targets),
		time.Duration(r.End-r.Start).Round(time.Millisecond))
	for i, t := range lacking {
		if i == named {
			fmt.Fprintf(&b, "; and %d more", len(lacking)-named)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(t.String())
	}
	return b.String()
}

func (r *Result) lacking() []TargetResult {
	var lacking []TargetResult
	for _, t := range r.Targets {
		if t.Complete == 0 {
			lacking = append(lacking, t)
		}
	}
	return lacking
}

// String says how far the target came.
func (t TargetResult) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%v): %d of %d in %d attempts", t.ID, t.Addr, t.Seen, t.Needed, t.Attempts)
	var others []string
	for ip, n := range t.Wrong {
		others = append(others, fmt.Sprintf("%d wrongly by %v", n, ip))
	}
	for kind, n := range t.Errors {
		others = append(others, fmt.Sprintf("%d %s", n, kind))
	}
	sort.Strings(others)
	if len(others) > 0 {
		b.WriteString(", " + strings.Join(others, ", "))
	}
	return b.String()
}

// withDefaults returns the Spec with every field set, or what is wrong with it.
func (s Spec) withDefaults() (Spec, error) {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&s.Interval, DefaultInterval}, {&s.Timeout, DefaultTimeout}, {&s.AttemptTimeout, DefaultAttemptTimeout}} {
		if *d.value == 0 {
			*d.value = d.or
		}
		if *d.value < 0 {
			return s, errors.New("verify: intervals and time-outs must be positive")
		}
	}
	if s.Parallel == 0 {
		s.Parallel = DefaultParallel
	}
	if err := s.Protocol.Check(); err != nil {
		return s, fmt.Errorf("verify: %w", err)
	}
	for _, t := range s.Targets {
		if t.Attempts < 0 {
			return s, fmt.Errorf("verify %q: %d attempts are less than none", t.ID, t.Attempts)
		}
	}
	if s.Sample < 0 || s.Parallel < 0 || s.AttemptTimeout > probe.MaxTimeout {
		return s, fmt.Errorf("verify: sample %d and parallel %d must not be negative, time-out %v of an attempt at most %v",
			s.Sample, s.Parallel, s.AttemptTimeout, probe.MaxTimeout)
	}
	return s, nil
}
