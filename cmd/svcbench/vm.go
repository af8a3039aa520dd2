package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"svcbench/clusters/local"
	"svcbench/clusters/vm"
	"svcbench/internal/failure"
	"svcbench/internal/process"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// consoleLog is the file of a run directory with what the kernel of its
// virtual machine printed.
const consoleLog = "vm-console.log"

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

// runInVM is run inside a virtual machine: the svcbench in there measures, and
// this one shows what it says and draws the report.
func (r *running) runInVM(cmd *cobra.Command, streams Streams, chosen []scenarios.Scenario, args []string) error {
	spec, err := vm.ParseSpec(r.vm)
	if err != nil {
		return err
	}
	if !cmd.Flags().Changed("points") {
		var left []string
		chosen, left = withinReach(chosen, results.Clock(spec.Clock))
		for _, what := range left {
			fmt.Fprintf(streams.Err, "! %s\n", what)
		}
	}
	dir, err := newRunDir(*r.out, chosen)
	if err != nil {
		return err
	}
	out, failed := r.measureInVM(cmd, streams, spec, dir, chosen, args)
	switch {
	case out.Complete > 0:
		failed = errors.Join(failed, drawRun(streams, dir))
	case out.Failed == 0 && failure.CodeOf(failed) != failure.Environment:
		failed = errors.Join(failed, os.RemoveAll(dir))
	}
	return failed
}

// measureInVM makes a run in a virtual machine and returns how far it came.
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
	inside, err := r.inside(ctx, streams, display, dir, commandLine(cmd, args), modesOfAll(chosen))
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
	inside.Facts = machine.Facts()
	// To start a control plane takes half a minute there, and a trial less.
	inside.Local.KeepControlPlane = inside.emulated()
	job, err := r.job(cmd, streams, inside, args)
	if err != nil {
		return out, err
	}
	job.Seed = chosen[0].Seed
	job.Started = func(took time.Duration) {
		display.Line(fmt.Sprintf("%s runs in the VM after %s", machine.Facts()["vm"], progress.Rough(took)))
		display.Close() // the svcbench inside has one of its own
	}
	display.Phase(progress.Phase{Text: "boot " + machine.Facts()["vm"]})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, failure.New(failure.Environment, fmt.Errorf("make run directory: %w", err), "choose a folder that can be written with --out")
	}
	code, err := machine.Run(ctx, job)
	return takeOutcome(dir, code, err)
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

// inside is what the svcbench in the virtual machine is told; Facts are for
// the caller to add.
func (r *running) inside(ctx context.Context, streams Streams, display progress.Display, dir, command string, modes []scenarios.Mode) (inVM, error) {
	options, err := r.programs.options(ctx, display, modes...)
	if err != nil {
		return inVM{}, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return inVM{}, fmt.Errorf("find run directory: %w", err)
	}
	i := inVM{Dir: absolute, Shown: dir, Command: command, Local: options, Redraws: streams.IsTTY}
	if streams.Width != nil {
		i.Width = streams.Width()
	}
	return i, nil
}

// modesOfAll are the modes that scenarios ask for, any of which may run in the
// virtual machine.
func modesOfAll(chosen []scenarios.Scenario) []scenarios.Mode {
	var all []scenarios.Mode
	for _, s := range chosen {
		modes := s.Modes
		if len(modes) == 0 {
			modes = scenarios.Modes()
		}
		for _, m := range modes {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// job is the job of the guest.
func (r *running) job(cmd *cobra.Command, streams Streams, inside inVM, args []string) (vm.Job, error) {
	told, err := json.Marshal(inside)
	if err != nil {
		return vm.Job{}, fmt.Errorf("encode what the VM is told: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return vm.Job{}, fmt.Errorf("find working directory: %w", err)
	}
	return vm.Job{
		Args: append(append([]string{"run"}, args...), append(flagsForVM(cmd), "--in-vm="+string(told))...),
		Dir:  here, Share: inside.Dir, Console: filepath.Join(inside.Dir, consoleLog),
		Preload: preloaded(inside.Local.Binaries), Stdout: streams.Out, Stderr: streams.Err,
	}, nil
}

// flagsForVM are the flags that the svcbench inside gets as they were given:
// all but those that have been obeyed out here.
func flagsForVM(cmd *cobra.Command) []string {
	var words []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains([]string{"vm", "out", "components"}, f.Name) {
			words = append(words, "--"+f.Name+"="+strings.Trim(f.Value.String(), "[]"))
		}
	})
	return words
}

// preloaded are the files that a trial in the guest will need: the programs
// of a cluster, and those that the modes run.
func preloaded(binaries map[string]string) []string {
	var files []string
	for _, path := range binaries {
		files = append(files, path)
		files = append(files, filesBelow(filepath.Dir(path))...)
	}
	slices.Sort(files)
	for _, tool := range []string{
		"ip", "nft", "iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore", "ipset", "ipvsadm",
		"conntrack", "modprobe", "sysctl", "cp", "cat", "mount", "umount", "nsenter", "unshare", "sh", "tc", "bpftool", "clang", "clang-19", "clang-18", "llc", "llc-19",
	} {
		if path, err := process.LookPath(tool); err == nil {
			files = append(files, path)
		}
	}
	// Small files that programs read when they start.
	extensions, _ := filepath.Glob("/usr/lib/*-linux-gnu/xtables/*.so") // a fixed pattern is never bad
	for _, file := range append(extensions, "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/protocols", "/etc/services", "/etc/hosts", "/etc/passwd", "/etc/group") {
		if exists(file) {
			files = append(files, file)
		}
	}
	return files
}

// filesBelow are the files in the folders beside a program: the sources that
// Cilium compiles.
func filesBelow(dir string) []string {
	var files []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Dir(path) != dir {
			files = append(files, path)
		}
		return nil // what cannot be read is read later, or not at all
	})
	return files
}

// outcomeFile is where the svcbench inside leaves how the run ended, until the
// one out here has read it.
const outcomeFile = ".vm-outcome.json"

// outcome is how a run in a virtual machine ended.
type outcome struct {
	Run  runners.Outcome `json:"run"`
	Code failure.Code    `json:"code"`
	Text string          `json:"text,omitempty"`
	Hint string          `json:"hint,omitempty"`
}

// takeOutcome returns how the run in dir ended, after its machine did with
// code and failed.
func takeOutcome(dir string, code int, failed error) (runners.Outcome, error) {
	none := runners.Outcome{Dir: dir}
	file := filepath.Join(dir, outcomeFile)
	b, err := os.ReadFile(file)
	if err != nil {
		if failed == nil && code != int(failure.OK) {
			failed = failure.New(failure.Code(code), fmt.Errorf("svcbench in the VM ended with code %d", code), "")
		}
		if failed == nil && !errors.Is(err, fs.ErrNotExist) {
			failed = fmt.Errorf("read how the run in the VM ended: %w", err)
		}
		none.Complete = storedTrials(dir)
		return none, failed
	}
	var o outcome
	if err := errors.Join(json.Unmarshal(b, &o), os.Remove(file)); err != nil {
		return none, errors.Join(failed, fmt.Errorf("read how the run in the VM ended: %w", err))
	}
	if o.Code != failure.OK {
		failed = errors.Join(failed, failure.New(o.Code, errors.New(o.Text), o.Hint))
	}
	return o.Run, failed
}

// storedTrials counts the trials that a machine left which then crashed.
func storedTrials(dir string) int {
	found, _ := filepath.Glob(filepath.Join(dir, "trials", "[^.]*")) // a fixed pattern is never bad
	return len(found)
}
