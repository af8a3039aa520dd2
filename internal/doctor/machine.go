package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"svcbench/internal/process"
)

// Machine is what the checks look at.
type Machine struct {
	// Proc and Sys are where the kernel's files are: /proc and /sys.
	Proc, Sys string
	// UID is the effective user id of the program.
	UID int
	// Run runs a program to its end and returns what it printed. An error
	// matches exec.ErrNotFound if the program is not installed.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
	// Building says whether components still have to be built.
	Building func(ctx context.Context) bool
	// CacheDir is where components are built, OutDir where runs
	// are written. They need not exist yet.
	CacheDir, OutDir string
	// WorkDir is where clusters have their files while they exist.
	WorkDir string
}

// This returns the machine the program runs on, with all components there.
// Folders are for the caller to set.
func This() *Machine {
	return &Machine{
		Proc: "/proc", Sys: "/sys", UID: os.Geteuid(), Run: run,
		WorkDir:  os.TempDir(),
		Building: func(context.Context) bool { return false },
	}
}

// Checks returns all checks of the machine in the order in which they make
// sense to repair.
func (m *Machine) Checks() []Check {
	return []Check{
		{"root", "root privileges", Required, true, m.root},
		{"namespaces", "network namespaces", Required, true, m.namespaces},
		{"kernel", "Linux kernel", Advised, true, m.kernel},
		{"iptables", "iptables tools", Advised, false, m.iptables},
		{"nft", "nft tool", Advised, false, m.nft},
		{"path", "path instrument (BPF)", Advised, false, m.path},
		{"conntrack", "connection tracking", Advised, false, m.conntrack},
		{"memory", "free memory", Required, true, m.memory},
		{"cpus", "processors", Advised, false, m.cpus},
		{"go", "Go toolchain", Required, false, m.goToolchain},
		{"disk-cache", "disk for components", Required, false, m.diskCache},
		{"disk-work", "disk for clusters", Required, true, m.diskWork},
		{"disk-runs", "disk for runs", Required, true, m.diskRuns},
		{"files", "open files", Required, true, m.openFiles},
		{"ports", "ephemeral ports", Advised, false, m.ephemeralPorts},
		{"clock", "clock source", Advised, false, m.clock},
		{"load", "other load", Advised, true, m.load},
		{"governor", "CPU frequency", Advised, false, m.governor},
	}
}

// read returns the text of a file below /proc or /sys.
func read(parts ...string) (string, error) {
	data, err := os.ReadFile(filepath.Join(parts...))
	return strings.TrimSpace(string(data)), err
}

// run is Machine.Run for the real machine. Nothing it is used for takes long.
func run(ctx context.Context, program string, args ...string) ([]byte, error) {
	path, err := process.LookPath(program)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// notInstalled reports whether err of Machine.Run means that the program is
// not there.
func notInstalled(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}
