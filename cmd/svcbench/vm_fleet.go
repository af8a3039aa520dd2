package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters/vm"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
)

// fleet is virtual machines that measure one run: all of it in one, or each
// part in one of its own.
type fleet struct {
	// boot boots a machine for a job, as vm.Machine.Run does.
	boot    func(context.Context, vm.Job) (int, error)
	atATime int
	display progress.Display
	watcher *watcher
	// job is that of the machine that measures a part, nil for all.
	job func(part *runners.Part) (vm.Job, error)
	// outcome takes how a part ended, after its machine did so with that code
	// and that error, and returns why it did before its last trial.
	outcome func(part *runners.Part, code int, failed error) error
	// planned is told once which trials there will be.
	planned func([]results.PlannedTrial)

	mu       sync.Mutex
	stopped  error // why the first part that ended early did
	trials   []results.PlannedTrial
	inARow   int // trials that failed since the last complete one
	notices  map[string]bool
	underway int
}

// run measures parts in their order, and returns why it ended before the last
// trial. Once a part has ended early no other begins.
func (f *fleet) run(ctx context.Context, parts []*runners.Part) error {
	f.notices = map[string]bool{}
	var machines errgroup.Group
	machines.SetLimit(f.atATime)
	for _, part := range parts {
		machines.Go(func() error {
			switch {
			case f.reason() != nil:
			case ctx.Err() != nil:
				f.stop(part, context.Cause(ctx))
			default:
				f.stop(part, f.measure(ctx, part))
			}
			return nil
		})
	}
	_ = machines.Wait() // none returns an error
	return f.reason()
}

func (f *fleet) reason() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopped
}

// stop notes why a part ended early, nil if it did not. That the environment is
// broken is told rather than anything else.
func (f *fleet) stop(part *runners.Part, because error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if because == nil {
		return
	}
	if f.underway > 0 {
		f.display.Line(fmt.Sprintf("✗ %s ended early: %v (others under way go on to their end)", nameOf(part), because))
	}
	if f.stopped == nil || failure.CodeOf(because) == failure.Environment && failure.CodeOf(f.stopped) != failure.Environment {
		f.stopped = because
	}
}

// measure measures a part in a machine.
func (f *fleet) measure(ctx context.Context, part *runners.Part) error {
	job, err := f.job(part)
	if err != nil {
		return err
	}
	lane := f.watcher.lane()
	defer lane.leave()
	f.count(1)
	defer f.count(-1)
	says := func(line string) { f.say(part, line) }
	events := &listener{
		observer: lane, other: says, ended: f.ended,
		planned: func(trials []results.PlannedTrial) { f.expect(part, trials) },
	}
	out, complaints := &lines{take: events.take}, &lines{take: says}
	job.Stdout, job.Stderr = out, complaints
	code, err := f.boot(ctx, job)
	out.end()
	complaints.end()
	return f.outcome(part, code, err)
}

func (f *fleet) count(more int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underway += more
}

// expect takes what a machine says of the whole run, in which all must agree.
func (f *fleet) expect(part *runners.Part, trials []results.PlannedTrial) {
	f.mu.Lock()
	first := f.trials == nil
	if first {
		f.trials = trials
	}
	same := slices.Equal(f.trials, trials)
	f.mu.Unlock()
	switch {
	case first:
		f.planned(trials)
	case !same:
		f.stop(part, failure.New(failure.Environment, fmt.Errorf("the machine of %s plans other trials than the first: it does not have the same modes", nameOf(part)),
			"run again, with --modes"))
	}
}

// ended counts trials that fail one after the other, of any machine: each of
// them has too few to notice.
func (f *fleet) ended(status results.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inARow++
	if status == results.Complete {
		f.inARow = 0
	}
	if f.inARow == runners.FailuresInARow && f.stopped == nil {
		f.stopped = fmt.Errorf("%d trials in a row failed", runners.FailuresInARow)
	}
}

// say prints a line of a machine: a notice once, however many give it.
func (f *fleet) say(part *runners.Part, line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !strings.HasPrefix(line, "! "):
		if part != nil {
			line = part.Name() + ": " + line
		}
	case f.notices[line]:
		return
	}
	f.notices[line] = true
	f.display.Line(line)
}

// lines is a writer that passes on whole lines.
type lines struct {
	take func(string)
	rest []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.take(string(line))
		l.rest = append([]byte(nil), rest...)
	}
}

// end passes on what has no end.
func (l *lines) end() {
	if len(l.rest) > 0 {
		l.take(string(l.rest))
	}
}
