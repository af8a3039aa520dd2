package main

import (
	"encoding/json"
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
	// Redraws and Width are those of the user's terminal.
	Redraws bool `json:"redraws"`
	Width   int  `json:"width"`
}

// emulatedProbe is the time between two connections that watch a change where
// instructions are emulated.
const emulatedProbe = 5 * time.Millisecond

// emulated reports whether the machine's instructions are emulated, which
// takes ten times as long and more.
func (i inVM) emulated() bool { return i.Facts[results.FactAccel] == "tcg" }

// runAsGuest is run inside a virtual machine: it measures into memory, and
// whatever is finished goes to the host. How it ended is a file there.
func (r *running) runAsGuest(cmd *cobra.Command, streams Streams, chosen []scenarios.Scenario) error {
	var told inVM
	if err := json.Unmarshal([]byte(r.told), &told); err != nil {
		return fmt.Errorf("read what the VM is told: %w", err)
	}
	streams.IsTTY, streams.Width = told.Redraws, func() int { return told.Width }
	mirror := &mirror{from: told.Dir, to: vm.ShareFolder}
	out, failed := r.measureAsGuest(cmd, streams, told, mirror, chosen)
	if err := mirror.copy(); failed == nil {
		failed = err
	}
	out.Dir = told.Shown
	end := outcome{Run: out, Code: failure.CodeOf(failed)}
	if failed != nil {
		named := strings.NewReplacer(told.Dir, told.Shown)
		end.Text, end.Hint = named.Replace(failed.Error()), named.Replace(failure.HintOf(failed))
	}
	b, err := json.Marshal(end)
	if err != nil {
		return fmt.Errorf("tell how the run ended: %w", err)
	}
	return os.WriteFile(filepath.Join(vm.ShareFolder, outcomeFile), b, 0o644)
}

// measureAsGuest is measure, with what the host has found out already.
func (r *running) measureAsGuest(cmd *cobra.Command, streams Streams, told inVM, mirror *mirror, chosen []scenarios.Scenario) (runners.Outcome, error) {
	var none runners.Outcome
	ctx := cmd.Context()
	// The host's folder of that name shows through, and is not empty.
	if err := unix.Mount("run", told.Dir, "tmpfs", 0, "size=50%"); err != nil {
		return none, fmt.Errorf("keep the run in memory: %w", err)
	}
	display := r.showing.display(streams)
	defer display.Close()
	modes, err := support(ctx)
	if err != nil {
		return none, err
	}
	if !cmd.Flags().Changed("points") { // as the host has told already
		chosen, _ = withinReach(chosen, results.Clock(told.Facts[results.FactClock]))
	}
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
	display.Line(fmt.Sprintf("%s, into %s", counted(len(plan.Trials), "trial"), told.Shown))
	mirror.Observer = newWatcher(ctx, display, plan)
	options := runners.Options{Dir: told.Dir, Command: told.Command, Environment: env, Observer: mirror}
	if told.emulated() {
		options.ProbeInterval = emulatedProbe
	}
	return runners.Run(ctx, local.New(told.Local), plan, options)
}

// mirror copies a run directory to the host between trials, when nothing is
// measured, so that a guest that crashes loses one trial at most.
type mirror struct {
	runners.Observer
	from, to string
}

// TrialStarted copies what there is before a trial begins.
func (m *mirror) TrialStarted(t results.PlannedTrial, n, total int) {
	m.Observer.TrialStarted(t, n, total)
	if err := m.copy(); err != nil {
		m.Warning(err.Error()) // the last copy fails as well, and then counts
	}
}

// copy copies finished trials that are not there yet, and the files about the
// run, each in one piece.
func (m *mirror) copy() error {
	if err := copyMissing(filepath.Join(m.from, "trials"), filepath.Join(m.to, "trials")); err != nil {
		return fmt.Errorf("copy trials to the host: %w", err)
	}
	if err := copyMissing(m.from, m.to); err != nil {
		return fmt.Errorf("copy run to the host: %w", err)
	}
	return nil
}

// copyMissing copies the folders in from that to does not have, and all files
// in from. Those whose name begins with a dot are not finished.
func copyMissing(from, to string) error {
	entries, err := os.ReadDir(from)
	if os.IsNotExist(err) {
		return nil // the run ended before it had a folder
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		partial := filepath.Join(to, "."+e.Name()+".tmp")
		switch {
		case strings.HasPrefix(e.Name(), "."), e.IsDir() && exists(target):
			continue
		case e.IsDir():
			if err := os.RemoveAll(partial); err != nil {
				return err
			}
			if err := os.CopyFS(partial, os.DirFS(source)); err != nil {
				return err
			}
		default:
			b, err := os.ReadFile(source)
			if err != nil {
				return err
			}
			if err := os.WriteFile(partial, b, 0o644); err != nil {
				return err
			}
		}
		if err := os.Rename(partial, target); err != nil {
			return err
		}
	}
	return nil
}
