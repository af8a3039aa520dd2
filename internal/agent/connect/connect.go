// Package connect measures how long new connections take. It opens them at
// a fixed rate, open loop: each has a time at which it is due, which does not
// depend on how earlier ones fared, and each is closed as soon as it is
// established. Nothing is sent over one of TCP. One of UDP is a socket with a
// source port of its own that sends one datagram (see package identity), and
// established when the answer to that has come.
//
// It is built on non-blocking sockets and one thread rather than on net.Dialer
// because the instrument shares the machine with what it measures, and because
// the end of a handshake would otherwise be seen only when the Go scheduler
// comes round to it. All memory is taken before the first connection; while
// they are made nothing is allocated and no garbage is collected.
//
// Serve is the end that runs at the client, Run the end that runs beside the
// runner.
package connect

import (
	"context"
	"net/netip"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/results"
)

// Name is what a runner launches: "svcbench agent connect".
const Name = "connect"

// Spec says what to connect to and how often.
type Spec struct {
	Targets []Target `json:"targets"`
	// Protocol is spoken to all targets; the zero value means TCP.
	Protocol agent.Protocol `json:"protocol,omitempty"`
	// Mix says how often each class is met. Every class of the targets must
	// be in it, and have targets.
	Mix []Share `json:"mix"`
	// Rate is in connections per second, over all classes.
	Rate int `json:"rate"`
	// Warmup precedes Duration at the same rate and is not counted.
	Warmup   time.Duration `json:"warmup,omitempty"`
	Duration time.Duration `json:"duration"`
	// Timeout is when an attempt is given up; it is then a censored sample.
	// Linux repeats an unanswered SYN for the first time after one second: a
	// latency above that means that a packet was lost, not that the path was
	// slow. With a time-out below, lost packets are all censored, as those
	// of UDP are with any.
	Timeout time.Duration `json:"timeout"`
	// Seed decides the order of classes and at which target of each to begin.
	Seed uint64 `json:"seed"`
	// BinWidth is the resolution of Result.Bins; zero means no bins.
	BinWidth time.Duration `json:"binWidth,omitempty"`
}

// Target is an address to connect to.
type Target struct {
	Addr netip.AddrPort `json:"addr"`
	// Class is what its connections are counted as, see results.Histogram.
	Class string `json:"class"`
}

// Share is the part of a class in the mix: in every cycle, which is as long as
// the sum of all weights, Weight connections go to the class, in an order that
// is shuffled anew each cycle. The connections of a class are spread evenly over
// its targets in the order given, see package spread.
type Share struct {
	Class  string `json:"class"`
	Weight int    `json:"weight"`
}

// Result is what was measured. Connections belong to it by when they were due,
// whenever they ended. Histograms are in the encoding of stats.Histogram.
type Result struct {
	// Start and End are the bounds of the counted part, in ns of
	// CLOCK_MONOTONIC.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Due counts the connections that were due: Started plus Dropped.
	Due int64 `json:"due"`
	// Started counts those that were attempted, late or not.
	Started int64 `json:"started"`
	// Late counts those of Started that began after the next one was due.
	Late int64 `json:"late"`
	// Dropped counts those never attempted: when their turn came, too many
	// others were under way, or they were late by more than the time-out.
	Dropped int64 `json:"dropped"`
	// Lag is the distribution of how late connections were started: from
	// when one was due to just before connect was called. It is the
	// instrument's own error and no part of the latencies.
	Lag string `json:"lag"`
	// Classes are in the order of the mix.
	Classes []Class `json:"classes"`
	// Bins divide the counted part, all classes together: Count and the
	// latencies are those of connections established, Errors counts those
	// that failed or timed out. The last bin may be shorter than the others.
	Bins []results.Bin `json:"bins,omitempty"`
	// Health is how the instrument itself fared.
	Health Health `json:"health"`
}

// Class is what was measured of the targets of one class.
type Class struct {
	Class string `json:"class"`
	// Started is Established plus Censored plus the sum of Errors.
	Started     int64 `json:"started"`
	Established int64 `json:"established"`
	// Censored counts attempts that did not end before the time-out.
	Censored int64 `json:"censored,omitempty"`
	// Errors counts attempts that failed otherwise, by kind (see errkind).
	Errors map[string]int64 `json:"errors,omitempty"`
	// Connect is the distribution of the time from calling connect to the
	// established connection, of Established samples. See attempt for what
	// exactly is timed.
	Connect string `json:"connect"`
	// Syscall is the distribution of the duration of the connect calls of
	// the same connections and of the censored ones, whose calls returned;
	// over UDP it is that of connect and send together.
	Syscall string `json:"syscall"`
}

// Health tells whether the instrument was fit to measure. It covers warm-up,
// counted part and the wait for the last attempts.
type Health struct {
	Elapsed time.Duration `json:"elapsed"`
	// CPU is the processor time of the agent, in user mode and in the
	// kernel. On virtual links it holds that of the path under test, which
	// the kernel charges to whoever sends the packet.
	CPU time.Duration `json:"cpu"`
	// GCs counts garbage collections, of which there should be none, and Paused is
	// how long the agent stood still for them.
	GCs    int64         `json:"gcs"`
	Paused time.Duration `json:"paused,omitempty"`
	// PeakOpen is the largest number of sockets open at once.
	PeakOpen int `json:"peakOpen"`
}

// Run starts the agent and returns what it measured.
func Run(ctx context.Context, l agent.Launcher, spec Spec) (*Result, error) {
	return agent.Exchange[Result](ctx, l, Name, spec)
}
