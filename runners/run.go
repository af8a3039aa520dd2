// Package runners measures: it plans trials, brings up a cluster for each,
// populates it, waits until it has converged, measures, churns, and stores
// what was counted in a run directory. It knows no provider in particular and
// no report.
package runners

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// FailuresInARow is how many trials may fail one after the other before the
// run is given up: then it is not the trials.
const FailuresInARow = 3

// Options say how a plan is run.
type Options struct {
	// Dir is the run directory, which must not exist or be empty.
	Dir string
	// Command is the command line that repeats the run.
	Command string
	// Environment is the machine; the provider's versions and facts are
	// added.
	Environment results.Environment
	// Observer is told how it goes on; nil means nobody.
	Observer Observer
	// ProbeInterval is the least time between two connections that watch a
	// change; 0 means watch.DefaultInterval. Where instructions are emulated,
	// a thousand a second would be most of a trial's work.
	ProbeInterval time.Duration
	// Pilot is the directory of what was measured to choose rates, which becomes part
	// of the run; empty without.
	Pilot string
	// Part is what is measured of the plan; nil means all of it.
	Part *Part
	// Resume is a run of the same plan in Dir that ended early; nil means a new
	// one. Blocks that it has whole at a point stay as they are, and the others are
	// measured from their beginning, because trials of a block are compared in
	// pairs.
	Resume *results.Data
	// Enough is asked before each further block of a scenario whether the run in Dir
	// needs no more of them; nil means that all planned blocks are measured.
	Enough func(scenario string, blocks int) (bool, error)
	// Populations is a folder with what Export has left there; empty means
	// that populations are written when they are needed.
	Populations string
}

// Run measures every trial of the plan, or of a part of it, one at a time, and
// stores each in the run directory as soon as it is over. A trial that fails is
// stored with its reason, and the run goes on; it stops when the environment is
// broken: when trials cannot be stored, the disk is full, a trial fails with
// failure.Environment, or FailuresInARow trials fail one after the other.
//
// A population that a mode cannot program is a failure.Usage, before anything
// has begun.
//
// When ctx ends, the trial under way is given up, its cluster removed and
// nothing of it kept; the error is then a failure.Interrupted. Trials that
// failed are a failure.Invalid. The Outcome counts in any case, and what was
// measured is in the run directory.
func Run(ctx context.Context, provider clusters.Provider, plan *Plan, o Options) (Outcome, error) {
	trials, again, err := plan.left(o)
	if err != nil {
		return Outcome{}, err
	}
	r := &run{provider: provider, plan: plan, trials: trials, options: o, kept: kept{}, out: Outcome{Planned: len(trials)}}
	if r.options.Observer == nil {
		r.options.Observer = silent{}
	}
	if err := fits(provider, plan); err != nil {
		return r.out, err
	}
	if err := r.create(ctx, again); err != nil {
		return r.out, err
	}
	defer func() { _ = r.writer.Close() }() // the run is whole without it
	r.out.Stopped = r.measure(ctx)
	reason := ""
	if r.out.Stopped != nil {
		reason = r.out.Stopped.Error()
	}
	finished := r.writer.Finish(time.Now(), reason)
	if o.Resume != nil { // what was measured before counts too
		if data, err := results.Open(r.writer.Dir()); err == nil {
			r.out = OutcomeOf(data, r.out.Stopped)
		} else {
			finished = errors.Join(finished, err)
		}
	}
	return r.out, errors.Join(r.out.Err(), finished)
}

// run is a run under way.
type run struct {
	provider clusters.Provider
	plan     *Plan
	trials   []Trial // those that are measured
	options  Options // with an Observer
	writer   *results.Writer
	kept     kept
	clock    results.Clock
	out      Outcome
	inARow   int // trials that failed since the last complete one
}

// create makes the run directory, or opens the one that is resumed without the trials
// that are measured again.
func (r *run) create(ctx context.Context, again []string) error {
	o := r.options
	versions, err := r.provider.Versions(ctx)
	if err != nil {
		return fmt.Errorf("find out the versions of provider %s: %w", r.provider.Name(), err)
	}
	env := o.Environment
	env.Versions = merged(env.Versions, versions)
	env.Facts = merged(env.Facts, r.provider.Facts())
	r.clock = env.Clock()
	infos, err := r.plan.infos()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("find run directory: %w", err)
	}
	if o.Resume != nil {
		if err := sameEnvironment(o.Resume.Environment, env); err != nil {
			return err
		}
		if r.writer, err = results.Resume(o.Resume, again); err == nil {
			r.out.Dir = o.Dir
		}
		return err
	}
	r.writer, err = results.Create(dir, results.Run{
		ID: filepath.Base(dir), Started: time.Now(), Command: o.Command, Seed: r.plan.Seed(),
		Provider: r.provider.Name(), Modes: r.plan.Modes, Plan: r.plan.Results(), Scenarios: infos, Rates: r.plan.Rates,
	}, env)
	if err != nil {
		return err
	}
	r.out.Dir = o.Dir
	if o.Pilot != "" {
		if err := os.Rename(o.Pilot, filepath.Join(dir, results.PilotFolder)); err != nil {
			return fmt.Errorf("keep what rates were chosen by: %w", err)
		}
	}
	return nil
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, b)
	return m
}

// measure runs the trials and returns why it stopped before the last.
func (r *run) measure(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.kept.release("")) }()
	enough := map[string]bool{}
	for n, t := range r.trials {
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		if err := r.ask(n, enough); err != nil {
			return err
		}
		if enough[t.Scenario] {
			continue
		}
		if err := r.kept.release(t.Scenario); err != nil {
			return err
		}
		r.options.Observer.TrialStarted(t.PlannedTrial, n+1, len(r.trials))
		if err := r.trial(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// ask finds out, before trial n, whether its scenario has enough blocks. What is left
// of it is then no part of the plan any more.
func (r *run) ask(n int, enough map[string]bool) error {
	t := r.trials[n]
	if r.options.Enough == nil || enough[t.Scenario] || n == 0 {
		return nil
	}
	if before := r.trials[n-1]; before.Scenario != t.Scenario || before.Block == t.Block {
		return nil
	}
	yes, err := r.options.Enough(t.Scenario, t.Block-1)
	if err != nil || !yes {
		return err
	}
	enough[t.Scenario] = true
	var skip []string
	for _, later := range r.trials[n:] {
		if later.Scenario == t.Scenario {
			skip = append(skip, later.ID)
		}
	}
	r.out.Planned -= len(skip)
	r.writer.Skip(t.Scenario, t.Block-1, skip)
	return nil
}

// interrupted is the error of a run whose context has ended.
func interrupted(ctx context.Context) error {
	return failure.New(failure.Interrupted, context.Cause(ctx), "")
}

// trial runs and stores one trial. Its error is why the run cannot go on.
func (r *run) trial(ctx context.Context, t Trial) error {
	start := time.Now()
	dir, err := r.writer.Begin(t.ID)
	if err != nil {
		return err
	}
	record, failed := r.runTrial(ctx, t, filepath.Join(dir, results.LogFolder))
	record.Clock = r.clock
	// A message may name a log, whose folder gets its lasting name below.
	lasting := strings.NewReplacer(dir, results.TrialDir(r.writer.Dir(), t.ID))
	record.Error = lasting.Replace(record.Error)
	r.options.Observer.TrialEnded(record, time.Since(start))
	if failed != nil && ctx.Err() != nil {
		return errors.Join(interrupted(ctx), r.writer.Discard(t.ID))
	}
	if err := r.writer.Commit(record); err != nil {
		return errors.Join(err, r.writer.Discard(t.ID))
	}
	return r.count(record, failed, lasting.Replace(failure.HintOf(failed)))
}

// count counts a trial that is stored; failed is its error, if any, and hint
// the next step. The error returned is why the run cannot go on.
func (r *run) count(t *results.Trial, failed error, hint string) error {
	if failed == nil {
		r.out.Complete++
		r.inARow = 0
		if why := t.Untrusted(); why != "" {
			r.out.Untrusted = append(r.out.Untrusted, Failure{Trial: t.ID, Because: why})
		}
		return nil
	}
	r.out.Failed++
	r.out.Failures = append(r.out.Failures, Failure{Trial: t.ID, Because: t.Error})
	r.inARow++
	switch {
	case failure.CodeOf(failed) == failure.Environment:
		return failure.New(failure.Environment, errors.New(headline(t.Error)), hint)
	case errors.Is(failed, unix.ENOSPC), errors.Is(failed, unix.EDQUOT):
		return failure.New(failure.Environment, errors.New(headline(t.Error)), "free some space (`df -h`), or choose other disks with TMPDIR and --out")
	case r.inARow == FailuresInARow:
		return fmt.Errorf("%d trials in a row failed, the last because: %s", FailuresInARow, headline(t.Error))
	}
	return nil
}
