// Package environment describes the machine that numbers come from: what a
// reader must know to judge them, and what must be equal before two runs may
// be compared.
package environment

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"

	"svcbench/internal/results"
)

// Option changes where Capture looks.
type Option func(*machine)

// WithFiles makes Capture read fsys instead of the file system's root; names
// are those of the files without the leading slash.
func WithFiles(fsys fs.FS) Option { return func(m *machine) { m.files = fsys } }

// WithTools makes Capture call run instead of programs of this machine. It
// returns what a program printed when called with one argument; a program
// that is not there gives an error.
func WithTools(run func(ctx context.Context, program, arg string) (string, error)) Option {
	return func(m *machine) { m.run = run }
}

// WithBuild sets the version of svcbench and the commit it was built from
// where the build has stamped them; empty ones are taken from what the Go
// tool recorded.
func WithBuild(version, commit string) Option {
	return func(m *machine) { m.version, m.commit = version, commit }
}

// machine is what is described.
type machine struct {
	files           fs.FS
	run             func(ctx context.Context, program, arg string) (string, error)
	version, commit string
}

// Capture describes the machine as it is now: it should be quiet. Facts and
// the versions of what a provider runs are for the caller to add. What this
// machine does not tell is left out; the only error is the end of ctx.
func Capture(ctx context.Context, opts ...Option) (results.Environment, error) {
	m := &machine{files: os.DirFS("/"), run: runTool}
	for _, o := range opts {
		o(m)
	}
	// The load comes first: the rest adds to it.
	load := m.load()
	cpu := m.cpu()
	version, commit := m.build()
	e := results.Environment{
		Kernel:        m.read("proc/sys/kernel/osrelease"),
		KernelCmdline: m.commandLine(),
		Arch:          runtime.GOARCH,
		OS:            m.osName(),
		CPUModel:      cpu.model,
		CPUs:          cpu.count,
		MemoryBytes:   m.memory(),
		Virtualized:   m.virtualized(cpu),
		ClockSource:   m.read("sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Versions:      m.tools(ctx),
		Sysctls:       m.sysctls(),
		Hardware:      m.hardware(),
		Load:          load,
		Svcbench:      version,
		GitCommit:     commit,
		Facts:         map[string]string{},
	}
	if err := context.Cause(ctx); err != nil {
		return results.Environment{}, fmt.Errorf("describe the machine: %w", err)
	}
	return e, nil
}

// read returns the content of a file on one line, empty if it cannot be read.
func (m *machine) read(name string) string {
	b, err := fs.ReadFile(m.files, name)
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// lines returns the lines of a file, none if it cannot be read.
func (m *machine) lines(name string) []string {
	b, err := fs.ReadFile(m.files, name)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(b), "\n"), "\n")
}

// load returns the load averages of the last 1, 5 and 15 minutes.
func (m *machine) load() []float64 {
	fields := strings.Fields(m.read("proc/loadavg"))
	if len(fields) < 3 {
		return nil
	}
	averages := make([]float64, 3)
	for i := range averages {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil
		}
		averages[i] = v
	}
	return averages
}

// osName returns the name by which the distribution calls itself.
func (m *machine) osName() string {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		for _, line := range m.lines(name) {
			if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				return strings.Trim(value, `"'`)
			}
		}
	}
	return ""
}

// memory returns the size of the main memory in bytes, 0 if it is unknown.
func (m *machine) memory() int64 {
	for _, line := range m.lines("proc/meminfo") {
		if value, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
