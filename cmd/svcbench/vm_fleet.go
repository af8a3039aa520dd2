package main

import (
	"bytes"
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"svcbench/clusters/vm"
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

	once    sync.Once
	mu      sync.Mutex
	stopped error           // why the first part that ended early did
	said    map[string]bool // by machines
}

// run measures parts in their order, and returns why it ended before the last
// trial. Once a part has ended early no other begins.
func (f *fleet) run(ctx context.Context, parts []*runners.Part) error {
	f.said = map[string]bool{}
	var machines errgroup.Group
	machines.SetLimit(f.atATime)
	for _, part := range parts {
		machines.Go(func() error {
			if ctx.Err() == nil && f.reason() == nil {
				f.stop(f.measure(ctx, part))
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

func (f *fleet) stop(because error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped == nil {
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
	events := &listener{observer: lane, other: f.say, planned: func(trials []results.PlannedTrial) {
		f.once.Do(func() { f.planned(trials) })
	}}
	out, complaints := &lines{take: events.take}, &lines{take: f.say}
	job.Stdout, job.Stderr = out, complaints
	code, err := f.boot(ctx, job)
	out.end()
	complaints.end()
	return f.outcome(part, code, err)
}

// say prints a line once, however many machines say it.
func (f *fleet) say(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.said[line] {
		f.said[line] = true
		f.display.Line(line)
	}
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
