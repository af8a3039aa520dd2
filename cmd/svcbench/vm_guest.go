package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"svcbench/clusters/local"
	"svcbench/clusters/vm"
	"svcbench/internal/environment"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// inVM is what "svcbench run" inside a virtual machine is told by the one that
// started it.
type inVM struct {
	// Dir is the run directory, and Shown what the user calls it. In here it
	// is in memory.
	Dir   string `json:"dir"`
	Shown string `json:"shown"`
	// Command is the command line that repeats the run.
	Command string `json:"command"`
	// Facts describe the machine.
	Facts map[string]string `json:"facts"`
	// Local are the options of the provider: what it needs is built.
	Local local.Options `json:"local"`
	// Windows says how long it is measured.
	Windows vm.Windows `json:"windows"`
	// Part is what is measured; nil means everything.
	Part *runners.Part `json:"part,omitempty"`
	// Populations is a folder with those of all parts; empty if there is none.
	Populations string `json:"populations,omitempty"`
}

// emulatedProbe is the time between two connections that watch a change where
// instructions are emulated.
const emulatedProbe = 10 * time.Millisecond

// emulated reports whether the machine's instructions are emulated, which
// takes ten times as long and more.
func (i inVM) emulated() bool { return i.Facts[results.FactAccel] == "tcg" }

// runAsGuest is run inside a virtual machine: it measures into memory, and
// whatever is finished goes to the host. Why it ended early is a file there.
func (r *running) runAsGuest(cmd *cobra.Command, streams Streams, chosen []scenarios.Scenario) error {
	var told inVM
	if err := json.Unmarshal([]byte(r.told), &told); err != nil {
		return fmt.Errorf("read what the VM is told: %w", err)
	}
	mirror := &mirror{relay: &relay{to: streams.Out}, from: told.Dir, to: vm.ShareFolder, as: nameOf(told.Part)}
	out, failed := r.measureAsGuest(cmd, streams, told, mirror, chosen)
	if out.Stopped != nil || out.Failed > 0 || len(out.Untrusted) > 0 {
		failed = out.Stopped // the host has the trials that failed
	}
	if err := mirror.copy(); err != nil {
		failed = errors.Join(failed, failure.New(failure.Environment, err, "see whether the disk of the run directory is full (`df -h`), or choose another with --out"))
	}
	var e end
	if failed != nil {
		named := strings.NewReplacer(told.Dir, told.Shown)
		e = end{Code: failure.CodeOf(failed), Text: named.Replace(failed.Error()), Hint: named.Replace(failure.HintOf(failed))}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("tell how the run ended: %w", err)
	}
	return os.WriteFile(filepath.Join(vm.ShareFolder, endFile(told.Part)), b, 0o644)
}

// measureAsGuest is measure, with what the host has found out already.
func (r *running) measureAsGuest(cmd *cobra.Command, streams Streams, told inVM, mirror *mirror, chosen []scenarios.Scenario) (runners.Outcome, error) {
	var none runners.Outcome
	ctx := cmd.Context()
	// The host's folder of that name shows through, and is not empty.
	if err := unix.Mount("run", told.Dir, "tmpfs", 0, "size=50%"); err != nil {
		return none, fmt.Errorf("keep the run in memory: %w", err)
	}
	modes, err := support(ctx)
	if err != nil {
		return none, err
	}
	// What is left out the host has told already.
	chosen, _ = reach{clock: results.Clock(told.Facts[results.FactClock]), points: cmd.Flags().Changed("points"), windows: told.Windows}.of(chosen)
	plan, err := runners.NewPlan(chosen, modes)
	if err != nil {
		return none, err
	}
	tellOmissions(streams, plan)
	tellAdvice(streams, plan, modes)
	env, err := environment.Capture(ctx, environment.WithBuild(version, commit))
	if err != nil {
		return none, err
	}
	maps.Copy(env.Facts, told.Facts)
	mirror.planned(plan.Results())
	options := runners.Options{
		Dir: told.Dir, Command: told.Command, Environment: env, Observer: mirror, Part: told.Part, Populations: told.Populations,
	}
	if told.emulated() {
		options.ProbeInterval = emulatedProbe
	}
	return runners.Run(ctx, local.New(told.Local), plan, options)
}
