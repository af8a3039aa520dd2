// Package httpload measures how long HTTP requests take, over connections that
// are kept or over a new one each. Requests are sent at a fixed rate, open
// loop, by vegeta; from it come the workers and the order of requests, while
// schedule, client and statistics are this package's own: vegeta counts latency
// from when a worker was free to send, which hides that requests waited behind
// slow ones (coordinated omission).
//
// Serve is the end that runs at the client, Run the end that runs beside the
// runner.
package httpload

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"svcbench/internal/agent"
)

// Name is what a runner launches: "svcbench agent http".
const Name = "http"

// DefaultWorkers is how many requests may be under way at once. They carry
// 2,000 requests a second as long as one takes less than 128 ms (Little's
// law). When the other end stalls for longer, further requests wait, which
// their response time shows exactly; without a bound they would all become
// connections and goroutines, and the load itself would disturb the machine it
// shares with what it measures.
const DefaultWorkers = 256

// The limits of a Spec. No time-out may be longer than a histogram can hold.
const (
	maxRate     = 100_000
	maxRequests = 4 << 20
	maxTimeout  = time.Minute
	maxWorkers  = 4096
)

// Spec says what to ask and how often.
type Spec struct {
	// Targets must be backends of svcbench (see package backend), directly
	// or behind a Service. Over kept connections they are asked in turn, so
	// that a warm-up that is long enough opens all of them. Otherwise requests
	// are spread evenly over the targets in the order given, see package spread.
	Targets []netip.AddrPort `json:"targets"`
	// Rate is in requests per second.
	Rate int `json:"rate"`
	// Warmup precedes Duration at the same rate and is not counted.
	Warmup   time.Duration `json:"warmup,omitempty"`
	Duration time.Duration `json:"duration"`
	// Timeout is when a request is given up, counted from when it was sent;
	// it is then a censored sample.
	Timeout time.Duration `json:"timeout"`
	// KeepAlive keeps connections between requests, at least one to each
	// target; otherwise every request opens one.
	KeepAlive bool `json:"keepAlive,omitempty"`
	// Seed decides at which target to begin.
	Seed uint64 `json:"seed"`
	// Workers is how many requests may be under way at once; zero means
	// DefaultWorkers.
	Workers int `json:"workers,omitempty"`
}

// Result is what was measured. Requests belong to it by when they were due,
// whenever they ended. Histograms are in the encoding of stats.Histogram and
// hold only requests that were answered well.
type Result struct {
	// Start and End are the bounds of the counted part, in ns of
	// CLOCK_MONOTONIC.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Due counts the requests that were due: Sent plus Dropped.
	Due int64 `json:"due"`
	// Sent counts those that were sent, late or not. It is Count plus
	// Censored plus the sum of Errors.
	Sent int64 `json:"sent"`
	// Late counts those of Sent that were sent after the next one was due.
	Late int64 `json:"late"`
	// Dropped counts those never sent because, when their turn came, they
	// were late by more than the time-out.
	Dropped int64 `json:"dropped"`
	// Count is how many were answered with status 200 by a backend.
	Count int64 `json:"count"`
	// Censored counts those that were not answered before the time-out.
	Censored int64 `json:"censored,omitempty"`
	// Errors counts those that failed otherwise, by kind (see errkind).
	Errors map[string]int64 `json:"errors,omitempty"`
	// Response is the distribution of the time from when a request was due
	// to the end of its answer: what a client would have met.
	Response string `json:"response"`
	// Service is the distribution of the time from when a request was sent,
	// which includes opening a connection if that was needed.
	Service string `json:"service"`
	// Lag is the distribution of the time from when a request was due to
	// when it was sent, whatever became of it. Response is Lag plus Service.
	Lag string `json:"lag"`
	// Opened counts connections established in the counted part, Reused
	// counts requests that went over a kept one.
	Opened int64 `json:"opened"`
	Reused int64 `json:"reused"`
	// Health is how the instrument itself fared.
	Health Health `json:"health"`
}

// Health tells whether the instrument was fit to measure. It covers warm-up,
// counted part and the wait for the last answers.
type Health struct {
	Elapsed time.Duration `json:"elapsed"`
	// CPU is the processor time of the agent, in user mode and in the
	// kernel.
	CPU time.Duration `json:"cpu"`
	// GCs counts garbage collections, and Paused is how long the agent stood still
	// for them.
	GCs    int64         `json:"gcs"`
	Paused time.Duration `json:"paused,omitempty"`
}

// Run starts the agent and returns what it measured.
func Run(ctx context.Context, l agent.Launcher, spec Spec) (*Result, error) {
	return agent.Exchange[Result](ctx, l, Name, spec)
}

// withDefaults returns the Spec with every field set, or what is wrong with it.
func (s Spec) withDefaults() (Spec, error) {
	if s.Workers == 0 {
		s.Workers = DefaultWorkers
	}
	switch {
	case len(s.Targets) == 0:
		return s, errors.New("HTTP load: no targets")
	case s.Rate <= 0 || s.Rate > maxRate:
		return s, fmt.Errorf("HTTP load: rate %d must be between 1 and %d requests per second", s.Rate, maxRate)
	case s.Duration <= 0 || s.Warmup < 0:
		return s, fmt.Errorf("HTTP load: duration %v must be positive, warm-up %v not negative", s.Duration, s.Warmup)
	case s.Timeout <= 0 || s.Timeout > maxTimeout:
		return s, fmt.Errorf("HTTP load: time-out %v must be positive and at most %v", s.Timeout, maxTimeout)
	case (s.Warmup.Seconds()+s.Duration.Seconds())*float64(s.Rate) > maxRequests:
		return s, fmt.Errorf("HTTP load: %d requests per second for %v are more than %d", s.Rate, s.Warmup+s.Duration, maxRequests)
	case s.Workers < 0 || s.Workers > maxWorkers:
		return s, fmt.Errorf("HTTP load: %d workers must be between 1 and %d", s.Workers, maxWorkers)
	}
	for _, t := range s.Targets {
		if !t.Addr().Is4() || t.Port() == 0 {
			return s, fmt.Errorf("HTTP load: target %v is not an IPv4 address with a port", t)
		}
	}
	return s, nil
}
