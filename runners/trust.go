package runners

import (
	"fmt"
	"os"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/internal/strain"
)

// own says which processes belong to the trial; nil if that cannot be said.
func (f *inFlight) own() func(int) bool {
	if c, ok := f.cluster.(clusters.Owner); ok {
		return c.Owns
	}
	return nil
}

// observed runs a phase and notes what else the machine did meanwhile. That it cannot
// be found out is no reason to give up a trial.
func (f *inFlight) observed(run func() error) error {
	own := f.own()
	if own == nil {
		mine := os.Getpid()
		own = func(pid int) bool { return pid == mine }
	}
	before, unknown := strain.Take(own)
	if err := run(); err != nil {
		return err
	}
	after, err := strain.Take(own)
	if unknown != nil || err != nil {
		f.unobserved = true
		return nil
	}
	f.strain.Add(after.Since(before))
	return nil
}

// judgeTrust records whether the trial can be trusted.
func (f *inFlight) judgeTrust() {
	s, limits := f.strain, f.trial.scenario.Validity
	if f.unobserved || s.Elapsed == 0 {
		f.missing(results.Validity, "what else the machine did could not be read")
		return
	}
	if f.own() != nil {
		f.limit("others", s.Others.Seconds()/s.Elapsed.Seconds(), limits.Others, "processors",
			fmt.Sprintf("other programs used the time of %.2g processors, most of all %s", s.Others.Seconds()/s.Elapsed.Seconds(), s.Worst))
	}
	f.limit("steal", s.Steal.Seconds()/s.Elapsed.Seconds(), limits.Steal, "processors",
		fmt.Sprintf("the hypervisor took away the time of %.2g processors", s.Steal.Seconds()/s.Elapsed.Seconds()))
	if c, ok := f.cluster.(clusters.Tracking); ok {
		if n, err := c.Dropped(); err != nil {
			f.missing(results.Validity, err.Error())
		} else {
			f.limit("conntrack", float64(n), float64(limits.Conntrack), "count",
				fmt.Sprintf("the node's table of connections refused or threw out %d", n))
		}
	}
	if s.Stalls {
		f.limit("memory", s.Stall.Seconds()/s.Elapsed.Seconds(), limits.Memory, "ratio",
			fmt.Sprintf("something waited for memory in %.2g%% of the time", 100*s.Stall.Seconds()/s.Elapsed.Seconds()))
	}
	if connects(f) {
		f.limit("drift", f.drift, limits.Drift, "ratio", fmt.Sprintf("connections in one half of the time were slower than in the other by %.0f%%", 100*f.drift))
	}
	f.limit("clock", s.Step.Seconds(), limits.Clock.Std().Seconds(), "s", fmt.Sprintf("the clock was set by %v", s.Step))
}

// limit records a check of the trial, which fails above a limit.
func (f *inFlight) limit(name string, value, limit float64, unit, because string) {
	c := results.Check{Name: name, Value: value, Limit: limit, Unit: unit}
	if value > limit {
		c.Because = fmt.Sprintf("%s (at most %.2g are allowed)", because, limit)
		f.observer.Warning("the trial cannot be trusted: " + c.Because)
	}
	f.record.Checks = append(f.record.Checks, c)
}

// untrusted is the error of a run with trials that cannot be trusted; nil without.
func (o Outcome) untrusted() error {
	if len(o.Untrusted) == 0 {
		return nil
	}
	first := o.Untrusted[0]
	return failure.New(failure.Invalid, fmt.Errorf("%d of %d trials cannot be trusted, the first (%s) because %s", len(o.Untrusted), o.Planned, first.Trial, first.Because),
		"measure again on a machine that does nothing else; `svcbench doctor` says what is busy")
}
