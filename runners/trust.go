package runners

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/internal/strain"
	"svcbench/scenarios"
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
	f.strained(after.Since(before))
	return nil
}

// enough is a time over which shares of it mean something: the kernel counts CPU time in
// hundredths of a second, and somebody always does something for a moment.
const enough = 5 * time.Second

// strained notes what a phase had to bear.
func (f *inFlight) strained(s strain.Strain) {
	if n := len(f.strains); n > 0 && f.strains[n-1].Elapsed < enough {
		f.strains[n-1].Add(s)
		return
	}
	f.strains = append(f.strains, s)
}

// worst returns the strain that is the largest by a share of its time, and that share.
// One that was too short at the end counts with those before it.
func (f *inFlight) worst(of func(strain.Strain) time.Duration) (strain.Strain, float64) {
	all := slices.Clone(f.strains)
	if n := len(all); n > 1 && all[n-1].Elapsed < enough {
		all[n-2].Add(all[n-1])
		all = all[:n-1]
	}
	share := func(s strain.Strain) float64 { return of(s).Seconds() / max(s.Elapsed, 1).Seconds() }
	s := slices.MaxFunc(all, func(a, b strain.Strain) int { return cmp.Compare(share(a), share(b)) })
	return s, share(s)
}

// judgeTrust records whether the trial can be trusted.
func (f *inFlight) judgeTrust() {
	limits := f.trial.scenario.Validity
	if f.unobserved || len(f.strains) == 0 {
		f.missing(results.Validity, "what else the machine did could not be read")
		return
	}
	if f.own() != nil {
		s, share := f.worst(func(s strain.Strain) time.Duration { return s.Others })
		f.limit("others", share, limits.Others, "processors",
			fmt.Sprintf("other programs used the time of %.2g processors, most of all %s", share, s.Worst))
	}
	_, share := f.worst(func(s strain.Strain) time.Duration { return s.Steal })
	f.limit("steal", share, limits.Steal, "processors", fmt.Sprintf("the hypervisor took away the time of %.2g processors", share))
	if c, ok := f.cluster.(clusters.Tracking); ok {
		if n, err := c.Dropped(); err != nil {
			f.missing(results.Validity, err.Error())
		} else {
			f.limit("conntrack", float64(n), float64(limits.Conntrack), "count",
				fmt.Sprintf("the node's table of connections refused or threw out %d", n))
		}
	}
	if s, share := f.worst(func(s strain.Strain) time.Duration { return s.Stall }); s.Stalls {
		f.limit("memory", share, limits.Memory, "ratio", fmt.Sprintf("something waited for memory in %.2g%% of the time", 100*share))
	}
	if connects(f) {
		f.limit("drift", f.drift, limits.Drift, "ratio", fmt.Sprintf("connections in one half of the time were slower than in the other by %.0f%%", 100*f.drift))
		f.limit("late", f.offered.late, limits.Late, "ratio", fmt.Sprintf("%.2g%% of the connections began only after the next one was due", 100*f.offered.late))
	}
	if connects(f) || f.trial.scenario.Measures(scenarios.HTTP) {
		f.judgeLoad(limits)
	}
	var step time.Duration
	for _, s := range f.strains {
		step += s.Step
	}
	f.limit("clock", step.Seconds(), limits.Clock.Std().Seconds(), "s", fmt.Sprintf("the clock was set by %v", step))
}

// judgeLoad records whether the load was what it should be.
func (f *inFlight) judgeLoad(limits scenarios.Validity) {
	o := f.offered
	f.limit("unsent", o.unsent, limits.Unsent, "ratio", fmt.Sprintf("%.2g%% of the connections or requests were never begun: the client could not keep up", 100*o.unsent))
	f.limit("failed", o.failed, limits.Failed, "ratio", fmt.Sprintf("%.2g%% of the connections or requests had no answer", 100*o.failed))
	f.limit("paused", o.paused, limits.Paused, "ratio", fmt.Sprintf("the client stood still in %.2g%% of the time to collect garbage", 100*o.paused))
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
