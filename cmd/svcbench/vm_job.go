package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"svcbench/clusters/vm"
	"svcbench/internal/process"
	"svcbench/internal/progress"
	"svcbench/runners"
	"svcbench/scenarios"
)

// consoleLog and consoleFolder are the file in a run directory with what the
// kernel of its virtual machine printed, and the folder with those of several.
const (
	consoleLog    = "vm-console.log"
	consoleFolder = "vm-consoles"
)

// inside is what the svcbench in the virtual machine is told, as far as it
// follows from the command line.
func (r *running) inside(ctx context.Context, display progress.Display, dir, command string, modes []scenarios.Mode) (inVM, error) {
	options, err := r.programs.options(ctx, display, modes...)
	if err != nil {
		return inVM{}, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return inVM{}, fmt.Errorf("find run directory: %w", err)
	}
	return inVM{Dir: absolute, Shown: dir, Command: command, Local: options}, nil
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

// job is the job of the guest that measures a part.
func (r *running) job(cmd *cobra.Command, inside inVM, part *runners.Part, seed uint64, args []string) (vm.Job, error) {
	inside.Part = part
	told, err := json.Marshal(inside)
	if err != nil {
		return vm.Job{}, fmt.Errorf("encode what the VM is told: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return vm.Job{}, fmt.Errorf("find working directory: %w", err)
	}
	console := consoleLog
	if part != nil {
		console = filepath.Join(consoleFolder, part.Name()+".log")
		if err := os.MkdirAll(filepath.Join(inside.Dir, consoleFolder), 0o755); err != nil {
			return vm.Job{}, fmt.Errorf("make folder for consoles: %w", err)
		}
	}
	return vm.Job{
		Name: nameOf(part), Seed: seedOf(seed, part),
		Args: append(append([]string{"run"}, args...), append(flagsForVM(cmd), "--in-vm="+string(told))...),
		Dir:  here, Share: inside.Dir, Console: filepath.Join(inside.Dir, console), Preload: preloaded(inside.Local.Binaries),
	}, nil
}

// seedOf is the seed of a machine's randomness: another one in each part, as
// blocks would tell nothing of chance otherwise.
func seedOf(seed uint64, part *runners.Part) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, seed, nameOf(part)) // a hash never fails
	return h.Sum64()
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
