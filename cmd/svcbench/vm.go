package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/clusters/local"
	"svcbench/clusters/vm"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// addVM gives cmd the flag --vm, and the hidden one by which the svcbench in a
// virtual machine is told what the one outside has found out.
func addVM(cmd *cobra.Command, machine, told *string) {
	flags := cmd.Flags()
	flags.StringVar(machine, "vm", "", "run in a virtual machine, such as kernel=debian-6.1,clock=instructions")
	flags.StringVar(told, "in-vm", "", "what a run in a virtual machine is told")
	_ = flags.MarkHidden("in-vm") // it fails only for a flag that is not there
	completeFlag(cmd, "vm", cobra.FixedCompletions([]cobra.Completion{"kernel=debian-6.1", "kernel=debian-6.12"},
		cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
}

// runInVM is run inside a virtual machine, or several: the svcbench in there
// measures, and this one shows what it says and draws the report.
func (r *running) runInVM(cmd *cobra.Command, streams Streams, chosen []scenarios.Scenario, args []string) error {
	spec, err := vm.ParseSpec(r.vm)
	if err != nil {
		return err
	}
	if err := rated(chosen, results.Clock(spec.Clock)); err != nil {
		return err
	}
	chosen, left := reach{clock: results.Clock(spec.Clock), points: cmd.Flags().Changed("points"), windows: spec.Windows}.of(chosen)
	for _, what := range left {
		fmt.Fprintf(streams.Err, "! %s\n", what)
	}
	dir, err := newRunDir(*r.out, chosen)
	if err != nil {
		return err
	}
	out, failed := r.measureInVM(cmd, streams, spec, dir, chosen, args)
	switch {
	case out.Complete > 0:
		failed = errors.Join(failed, drawRun(streams, dir))
	case !results.Exists(dir) && failure.CodeOf(failed) != failure.Environment, out.Failed == 0 && failure.CodeOf(failed) == failure.Interrupted:
		// There is nothing in it, and it would be the latest run.
		failed = errors.Join(failed, os.RemoveAll(dir))
	}
	return failed
}

// measureInVM makes a run in virtual machines and returns how far it came.
func (r *running) measureInVM(cmd *cobra.Command, streams Streams, spec vm.Spec, dir string, chosen []scenarios.Scenario, args []string) (out runners.Outcome, err error) {
	ctx := cmd.Context()
	if err := requireRoot("running a virtual machine"); err != nil {
		return out, err
	}
	if err := beforeRun(ctx, streams, *r.out); err != nil {
		return out, err
	}
	if err := cleanLeftovers(ctx, streams); err != nil {
		return out, err
	}
	display := r.showing.display(streams)
	defer display.Close()
	inside, err := r.inside(ctx, display, dir, commandLine(cmd, args), modesOfAll(chosen))
	if err != nil {
		return out, err
	}
	claim, err := local.NewClaim(os.TempDir())
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	machine, err := newMachine(ctx, spec, claim.Dir(), display)
	if err != nil {
		return out, err
	}
	defer machine.Close()
	inside.Facts, inside.Windows = machine.Facts(), spec.Windows
	plan, err := runners.NewPlan(chosen, anyMode()) // it has the parts of the one inside
	if err != nil {
		return out, err
	}
	parts, atATime, err := divide(spec, plan)
	if err != nil {
		return out, err
	}
	if inside.emulated() {
		// To start a control plane takes half a minute there, and a trial less.
		inside.Local.KeepControlPlane = true
		if inside.Populations, err = exportPopulations(ctx, display, inside.Local, plan, claim.Dir()); err != nil {
			return out, err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, failure.New(failure.Environment, fmt.Errorf("make run directory: %w", err), "choose a folder that can be written with --out")
	}
	if len(parts) > 1 {
		inside.Facts["vm.machines"] = "a new one for each block at each point"
	}
	fleet := r.fleet(ctx, cmd, display, machine, inside, plan.Seed(), args, atATime)
	display.Phase(progress.Phase{Text: "boot " + inside.Facts["vm"]})
	return endRun(ctx, dir, len(plan.Trials), fleet.run(ctx, parts))
}

// divide returns what is measured in one machine each, nil being everything,
// and how many of them run at a time. With the instruction clock machines do
// not disturb each other, and each begins with a part, so that it does not
// matter how many there are.
func divide(spec vm.Spec, plan *runners.Plan) (parts []*runners.Part, atATime int, err error) {
	if spec.Clock != vm.Instructions {
		return []*runners.Part{nil}, 1, nil
	}
	for _, p := range plan.Parts() {
		parts = append(parts, &p)
	}
	if atATime, err = spec.AtATime(); err != nil {
		return nil, 0, err
	}
	return parts, min(atATime, len(parts)), nil
}

// fleet returns the machines that measure.
func (r *running) fleet(ctx context.Context, cmd *cobra.Command, display progress.Display, machine *vm.Machine, inside inVM, seed uint64, args []string, atATime int) *fleet {
	watcher := newWatcher(ctx, display, atATime)
	watcher.known = !inside.emulated()
	var booted sync.Once
	return &fleet{
		boot: machine.Run, atATime: atATime, display: display, watcher: watcher,
		job: func(part *runners.Part) (vm.Job, error) {
			job, err := r.job(cmd, inside, part, seed, args)
			job.Started = func(took time.Duration) {
				booted.Do(func() {
					display.Line(fmt.Sprintf("%s runs in the VM after %s", inside.Facts["vm"], progress.Rough(took)))
				})
			}
			return job, err
		},
		outcome: func(part *runners.Part, code int, failed error) error {
			return takeEnd(filepath.Join(inside.Dir, endFile(part)), code, failed)
		},
		planned: func(trials []results.PlannedTrial) {
			watcher.expect(trials)
			together := ""
			if atATime > 1 {
				together = fmt.Sprintf(" in %d machines at a time", atATime)
			}
			display.Line(fmt.Sprintf("%s%s, into %s", counted(len(trials), "trial"), together, inside.Shown))
		},
	}
}

// anyMode is the support of a machine in which every mode runs.
func anyMode() []clusters.Support {
	var all []clusters.Support
	for _, m := range scenarios.Modes() {
		all = append(all, clusters.Support{Mode: m, Answer: clusters.Yes})
	}
	return all
}

// exportPopulations writes the populations of a plan with this machine's own
// processor, and returns the folder that has them.
func exportPopulations(ctx context.Context, display progress.Display, options local.Options, plan *runners.Plan, work string) (string, error) {
	dir := filepath.Join(work, "populations")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make folder for populations: %w", err)
	}
	options.KeepControlPlane = false
	return dir, runners.Export(ctx, local.New(options), plan, dir, exporting{display})
}

// exporting shows how the writing of populations goes on.
type exporting struct{ display progress.Display }

func (exporting) Phase(string, bool)                       {}
func (exporting) TrialEnded(*results.Trial, time.Duration) {}
func (e exporting) Warning(message string)                 { e.display.Line("! " + message) }
func (e exporting) Step(done, total int) {
	e.display.Detail(fmt.Sprintf("%s of %s", thousands(done), thousands(total)))
}
func (e exporting) TrialStarted(t results.PlannedTrial, _, _ int) {
	e.display.Phase(progress.Phase{Text: "write the population of " + t.Scenario + " " + pointText(t.Point)})
}

// newMachine returns the machine that spec asks for.
func newMachine(ctx context.Context, spec vm.Spec, work string, display progress.Display) (*vm.Machine, error) {
	cache, err := vm.DefaultCache()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	return vm.New(ctx, vm.Options{Spec: spec, Cache: cache, Work: work, Program: self, Notify: func(what string) {
		if strings.HasPrefix(what, "! ") {
			display.Line(what)
		} else {
			display.Phase(progress.Phase{Text: what})
		}
	}})
}
