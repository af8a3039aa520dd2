package connect

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// tally is a Class that is being counted.
type tally struct {
	Class
	connect, syscall *stats.Histogram
}

// newResult counts what became of the attempts of a loop that has ended.
func newResult(spec Spec, l *loop, health Health) (*Result, error) {
	first := l.schedule.within(spec.Warmup)
	start := l.schedule.begin + spec.Warmup.Nanoseconds()
	r := &Result{
		Start: start, End: start + spec.Duration.Nanoseconds(),
		Due: int64(len(l.attempts) - first), Health: health,
	}
	tallies := map[string]*tally{}
	for _, share := range spec.Mix {
		tallies[share.Class] = &tally{Class: Class{Class: share.Class}, connect: stats.NewHistogram(), syscall: stats.NewHistogram()}
	}
	lag := stats.NewHistogram()
	for i := first; i < len(l.attempts); i++ {
		a := &l.attempts[i]
		if a.state == dropped {
			r.Dropped++
			continue
		}
		r.Started++
		lag.Record(a.start - l.schedule.due(i))
		if a.start >= l.schedule.due(i+1) {
			r.Late++
		}
		tallies[spec.Targets[a.target].Class].add(a)
	}
	if spec.BinWidth > 0 {
		r.Bins = bins(spec, l.schedule, l.attempts, first)
	}
	return r, r.encode(spec.Mix, tallies, lag)
}

// add counts an attempt that was started.
func (t *tally) add(a *attempt) {
	t.Started++
	switch a.state {
	case established:
		t.Established++
		t.connect.Record(a.took)
		t.syscall.Record(a.call)
	case censored:
		t.Censored++
		t.syscall.Record(a.call)
	case failed:
		if t.Errors == nil {
			t.Errors = map[string]int64{}
		}
		t.Errors[errkind.Of(unix.Errno(a.errno))]++
	}
}

// encode puts the classes and all histograms into the result.
func (r *Result) encode(mix []Share, tallies map[string]*tally, lag *stats.Histogram) (err error) {
	if r.Lag, err = lag.Encode(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	for _, share := range mix {
		t := tallies[share.Class]
		if t.Connect, err = t.connect.Encode(); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if t.Syscall, err = t.syscall.Encode(); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		r.Classes = append(r.Classes, t.Class)
	}
	return nil
}

// bins divides the attempts from first on by when they were due.
func bins(spec Spec, s schedule, attempts []attempt, first int) []results.Bin {
	out := make([]results.Bin, 0, (spec.Duration+spec.BinWidth-1)/spec.BinWidth)
	var latencies []int64
	for end := spec.Warmup; end < spec.Warmup+spec.Duration; {
		end = min(end+spec.BinWidth, spec.Warmup+spec.Duration)
		last := s.within(end)
		var b results.Bin
		b, latencies = bin(attempts[first:last], latencies[:0])
		out = append(out, b)
		first = last
	}
	return out
}

// bin summarises attempts; scratch is memory to use and to hand back.
func bin(attempts []attempt, scratch []int64) (results.Bin, []int64) {
	var b results.Bin
	for i := range attempts {
		switch a := &attempts[i]; a.state {
		case established:
			scratch = append(scratch, a.took)
		case failed, censored:
			b.Errors++
		}
	}
	if b.Count = int64(len(scratch)); b.Count > 0 {
		slices.Sort(scratch)
		b.P50, b.P99, b.Max = rank(scratch, 0.50), rank(scratch, 0.99), scratch[len(scratch)-1]
	}
	return b, scratch
}

// rank returns the smallest of the sorted values that at least a share q of
// them does not exceed (the nearest-rank definition, as in HdrHistogram).
func rank(sorted []int64, q float64) int64 {
	return sorted[max(int(math.Ceil(q*float64(len(sorted)))), 1)-1]
}
