package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"svcbench/internal/environment"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// resumed is a run that ended early, with its scenarios.
type resumed struct {
	data   *results.Data
	chosen []scenarios.Scenario
}

// unresumable are flags that decide what is measured, which a run that is resumed
// has decided already.
func unresumable() []string {
	return []string{"all", "modes", "points", "blocks", "budget", "aa", "seed", "vm", "in-vm"}
}

// openResumed opens the run that is to be resumed.
func (r *running) openResumed(cmd *cobra.Command, args []string) (*resumed, error) {
	if len(args) > 0 {
		return nil, failure.New(failure.Usage, errors.New("--resume and the names of scenarios exclude each other"), "the run knows its scenarios")
	}
	for _, name := range unresumable() {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
			return nil, failure.New(failure.Usage, fmt.Errorf("--resume and --%s exclude each other", name), "the run knows what it measures")
		}
	}
	dir, err := findRun(*r.out, r.resume)
	if err != nil {
		return nil, err
	}
	data, err := results.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := restorable(cmd, data.Run); err != nil {
		return nil, err
	}
	if err := r.provider.Set(data.Run.Provider); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("run %s has provider %q: it %w", data.Run.ID, data.Run.Provider, err), "")
	}
	again := &resumed{data: data}
	for _, info := range data.Run.Scenarios {
		s, err := scenarios.Parse(info.Name+".yaml of run "+data.Run.ID, []byte(info.YAML))
		if err != nil {
			return nil, err
		}
		again.chosen = append(again.chosen, *s)
	}
	return again, nil
}

// restorable refuses runs whose conditions cannot be made again from what they say of
// themselves.
func restorable(cmd *cobra.Command, run results.Run) error {
	for _, never := range []struct{ flag, because string }{
		{"--vm", "was made in a virtual machine"},
		{"--blocks auto", "decides by what it measured how many blocks there are"},
		{"--blocks=auto", "decides by what it measured how many blocks there are"},
		{"--budget", "had a budget of time"},
	} {
		if strings.Contains(run.Command, " "+never.flag) {
			return failure.New(failure.Usage, fmt.Errorf("run %s %s, which cannot be resumed", run.ID, never.because), "begin a new run: "+run.Command)
		}
	}
	for _, name := range []string{"workers", "node-image"} {
		if strings.Contains(run.Command, " --"+name) && !cmd.Flags().Changed(name) {
			return failure.New(failure.Usage, fmt.Errorf("run %s had --%s, and --resume must have it too", run.ID, name), "it was: "+run.Command)
		}
	}
	return nil
}

// goOn measures what is left of a run.
func (r *running) goOn(ctx context.Context, streams Streams, again *resumed) (runners.Outcome, error) {
	var none runners.Outcome
	p, display, err := r.prepare(ctx, streams, again.chosen)
	if err != nil {
		return none, err
	}
	defer display.Close()
	env, err := environment.Capture(ctx, environment.WithBuild(version, commit))
	if err != nil {
		return none, err
	}
	display.Line(fmt.Sprintf("%s has %s of %d, about %s in all", again.data.Dir, counted(len(again.data.Trials), "trial"), len(p.plan.Trials), progress.Rough(p.plan.Estimate())))
	watcher := newWatcher(ctx, display, 1)
	watcher.expect(p.plan.Results())
	return runners.Run(ctx, p.provider, p.plan, runners.Options{Dir: again.data.Dir, Command: again.data.Run.Command, Environment: env, Observer: watcher.lane(), Resume: again.data})
}
