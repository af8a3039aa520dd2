package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/clusters/kind"
	"svcbench/clusters/local"
	"svcbench/clusters/vm"
	"svcbench/internal/environment"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// running are the flags of "svcbench run".
type running struct {
	choose    *choosing
	showing   *showing
	programs  programs
	provider  *choice
	out       *string
	nodeImage string // of kind clusters
	workers   int    // of kind clusters
	resume    string // the run to go on with
	budget    time.Duration
	vm        string // the machine to run in
	told      string // what a run inside one is told
}

func newRun(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [SCENARIO...]",
		Short: "Measure scenarios and write a report",
		Long: `Measures built-in scenarios, or files, and writes a run directory with raw data,
report.html and report.md. Without a scenario it measures "quick". Without
--modes it measures those of the scenario's modes that run on this machine.

Each trial has a cluster of its own, which is removed after it. Ctrl-C ends the
run, keeps what was measured and cleans up; a second Ctrl-C ends at once.`,
		Example: `  svcbench run
  svcbench run service-scale --modes iptables,nftables --points 10000 --blocks 2
  svcbench run ./mine.yaml --out /data/runs`,
		Args: cobra.ArbitraryArgs,
	}
	r := &running{
		choose:   addChoosing(cmd),
		showing:  addProgress(cmd),
		provider: addChoice(cmd, "cluster", "", "what makes the clusters", local.Name, kind.Name),
		out:      addOut(cmd),
	}
	cmd.Flags().StringVar(&r.nodeImage, "node-image", "", "image of kind's nodes (default: kind's own, or one assembled here)")
	cmd.Flags().IntVar(&r.workers, "workers", 1, "worker nodes of a kind cluster")
	addUse(cmd, &r.programs, "components")
	addVM(cmd, &r.vm, &r.told)
	cmd.Flags().DurationVar(&r.budget, "budget", 0, "begin no further block of a scenario after this time")
	cmd.Flags().StringVar(&r.resume, "resume", "", "run that ended early, to measure the blocks that it lacks")
	completeFlag(cmd, "resume", completeRuns(r.out))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("resume") {
			return r.runResumed(cmd, streams, args)
		}
		chosen, err := r.choose.load(cmd, args)
		if err != nil {
			return err
		}
		if r.showing.quiet {
			streams.Err = io.Discard
		}
		if err := r.fitting(cmd); err != nil {
			return err
		}
		switch {
		case r.told != "":
			return r.runAsGuest(cmd, streams, chosen)
		case cmd.Flags().Changed("vm"):
			return r.runInVM(cmd, streams, chosen, args)
		}
		return r.run(cmd, streams, chosen, args)
	}
	return cmd
}

// fitting refuses flags that would have no effect.
func (r *running) fitting(cmd *cobra.Command) error {
	kinds := r.provider.value == kind.Name
	if kinds && cmd.Flags().Changed("vm") {
		return failure.New(failure.Usage, errors.New("--cluster kind and --vm exclude each other: there are no containers in the machine"), "leave out one of the two")
	}
	if cmd.Flags().Changed("vm") && (r.choose.blocks.auto || r.budget > 0) {
		return failure.New(failure.Usage, errors.New("--blocks auto and --budget are not for virtual machines, which measure blocks side by side"), "name a number of blocks")
	}
	for _, name := range []string{"workers", "node-image"} {
		if cmd.Flags().Changed(name) && !kinds {
			return failure.New(failure.Usage, fmt.Errorf("--%s is for kind clusters", name), "add --cluster kind, or leave it out")
		}
	}
	return nil
}

// run measures, whatever then happens draws what was measured, and prints
// the result.
func (r *running) run(cmd *cobra.Command, streams Streams, chosen []scenarios.Scenario, args []string) error {
	out, failed := r.measure(cmd.Context(), streams, chosen, commandLine(cmd, args))
	switch {
	case out.Complete > 0:
		failed = errors.Join(failed, drawRun(streams, out.Dir))
	case out.Failed == 0 && out.Dir != "":
		// There is nothing in it, and it would be the latest run.
		failed = errors.Join(failed, os.RemoveAll(out.Dir))
	}
	return failed
}

// prepared is what a run needs before its first trial.
type prepared struct {
	provider clusters.Provider
	plan     *runners.Plan
}

// prepare finds out what of the scenarios can be measured, and builds what that
// needs. The display is the caller's to close if there is no error.
func (r *running) prepare(ctx context.Context, streams Streams, chosen []scenarios.Scenario) (_ prepared, _ progress.Display, err error) {
	var p prepared
	if err := beforeRun(ctx, streams, *r.out); err != nil {
		return p, nil, err
	}
	if err := cleanLeftovers(ctx, streams); err != nil {
		return p, nil, err
	}
	display := r.showing.display(streams)
	defer func() {
		if err != nil {
			display.Close()
		}
	}()
	provider, modes, err := r.makers(ctx, display, chosen)
	if err != nil {
		return p, nil, err
	}
	if p.plan, err = runners.NewPlan(chosen, modes); err != nil {
		return p, nil, err
	}
	tellOmissions(streams, p.plan)
	tellAdvice(streams, p.plan, modes)
	tellVM(streams, p.plan, modes, vm.Available())
	if provider == nil {
		if provider, err = r.programs.provider(ctx, display, p.plan.Included()...); err != nil {
			return p, nil, err
		}
	}
	p.provider = provider
	return p, display, nil
}

// runResumed goes on with a run, and draws it.
func (r *running) runResumed(cmd *cobra.Command, streams Streams, args []string) error {
	if r.showing.quiet {
		streams.Err = io.Discard
	}
	again, err := r.openResumed(cmd, args)
	if err != nil {
		return err
	}
	out, failed := r.goOn(cmd.Context(), streams, again)
	if out.Dir != "" {
		failed = errors.Join(failed, drawRun(streams, out.Dir))
	}
	return failed
}

// measure makes a run and returns how far it came.
func (r *running) measure(ctx context.Context, streams Streams, chosen []scenarios.Scenario, command string) (runners.Outcome, error) {
	var none runners.Outcome
	p, display, err := r.prepare(ctx, streams, chosen)
	if err != nil {
		return none, err
	}
	defer display.Close()
	env, err := environment.Capture(ctx, environment.WithBuild(version, commit))
	if err != nil {
		return none, err
	}
	dir, err := newRunDir(*r.out, p.plan.Scenarios)
	if err != nil {
		return none, err
	}
	enough := r.choose.blocks.enough(dir, r.budget, display.Line)
	tried, err := p.chooseRates(ctx, display, dir, env)
	if err != nil {
		return none, err
	}
	if tried != "" { // by then it is elsewhere, if all goes well
		defer os.RemoveAll(tried)
	}
	display.Line(fmt.Sprintf("%s, about %s, into %s", counted(len(p.plan.Trials), "trial"), progress.Rough(p.plan.Estimate()), dir))
	watcher := newWatcher(ctx, display, 1)
	watcher.expect(p.plan.Results())
	return runners.Run(ctx, p.provider, p.plan, runners.Options{
		Dir: dir, Command: command, Environment: env, Observer: watcher.lane(), Pilot: tried, Enough: enough,
	})
}

// makers returns the provider and which modes it can run. That of local clusters
// is nil as long as the modes of the run are not known, which decide what has to
// be built for it.
func (r *running) makers(ctx context.Context, display progress.Display, chosen []scenarios.Scenario) (clusters.Provider, []clusters.Support, error) {
	if r.provider.value == local.Name {
		modes, err := support(ctx)
		return nil, modes, err
	}
	var wanted []scenarios.Mode
	for _, s := range chosen {
		if wanted = append(wanted, s.Modes...); len(s.Modes) == 0 {
			wanted = scenarios.Modes()
			break
		}
	}
	p, err := images{&r.programs, display}.provider(ctx, r.nodeImage, r.workers, wanted)
	if err != nil {
		return nil, nil, err
	}
	modes, err := p.Modes(ctx)
	return p, modes, err
}

// cleanLeftovers removes what killed runs have left behind, and says so.
func cleanLeftovers(ctx context.Context, streams Streams) error {
	report := func(what string) {
		fmt.Fprintf(streams.Err, "! removed %s, which a killed run had left behind\n", what)
	}
	if err := kind.Clean(ctx, report); err != nil { // it is in nobody's way
		fmt.Fprintf(streams.Err, "! a killed run has left something behind: %v\n", err)
	}
	return local.Clean(ctx, report)
}

// newRunDir names a run directory that does not exist yet.
func newRunDir(root string, chosen []scenarios.Scenario) (string, error) {
	var names []string
	for _, s := range chosen {
		names = append(names, s.Name)
	}
	id, err := results.Unused(root, results.NewID(time.Now(), names))
	if err != nil {
		return "", err
	}
	return filepath.Join(root, id), nil
}

// commandLine is the command that repeats a run: the flags that decide what
// is measured, and not those that decide how it is shown.
func commandLine(cmd *cobra.Command, args []string) string {
	words := []string{"svcbench", "run"}
	for _, arg := range args {
		words = append(words, shellWord(arg))
	}
	for _, name := range []string{"all", "modes", "points", "blocks", "budget", "aa", "seed", "cluster", "node-image", "workers", "components", "vm"} {
		flag := cmd.Flags().Lookup(name)
		switch {
		case !flag.Changed:
		case flag.Value.Type() == "bool":
			words = append(words, strings.TrimSuffix("--"+name+"="+flag.Value.String(), "=true"))
		default:
			words = append(words, "--"+name, shellWord(strings.Trim(flag.Value.String(), "[]")))
		}
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word where a shell would take it for something else.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[\pL\pN@%+=:,./_-]+$`)
