// Package vm runs svcbench inside a virtual machine, with the kernel of a
// distribution: where this machine's own kernel lacks what a mode needs, and
// where results must not depend on how busy the machine is. The guest sees the
// host's files under a layer in its memory, has no network, and is gone when
// svcbench is, however that ends.
package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"svcbench/clusters/vm/guest"
	"svcbench/clusters/vm/initramfs"
	"svcbench/clusters/vm/kernel"
	"svcbench/clusters/vm/wire"
	"svcbench/internal/failure"
	"svcbench/internal/process"
)

// InitCommand is the command of svcbench that must call Init: the kernel of a
// guest starts the program with it.
const InitCommand = "vm-init"

// ShareFolder is where a guest has the folder Job.Share.
const ShareFolder = wire.ShareFolder

// Init is the first process of a guest. It ends with the machine.
func Init() error {
	if os.Getpid() != 1 {
		return failure.New(failure.Usage, fmt.Errorf("%s is the first process of a virtual machine", InitCommand), "`svcbench run --vm` makes one")
	}
	return guest.Run()
}

// Options configure a Machine.
type Options struct {
	Spec Spec
	// Cache is the folder that keeps unpacked kernels.
	Cache string
	// Work is an empty folder for what exists as long as the machine. The
	// caller removes it.
	Work string
	// Program is the path of svcbench, or of another program whose
	// InitCommand calls Init.
	Program string
	// Notify is told what takes its time; nil means nobody.
	Notify func(string)
}

// Machine is a virtual machine that can be started.
type Machine struct {
	options  Options
	kernel   kernel.Kernel
	qemu     string
	version  string // of QEMU
	accel    Accel
	launcher *process.Launcher
	silence  time.Duration // how long nothing may be heard of a guest
}

// DefaultCache is the folder for unpacked kernels in the user's cache folder.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", failure.New(failure.Environment, fmt.Errorf("find cache folder: %w", err), "set HOME or XDG_CACHE_HOME")
	}
	return filepath.Join(dir, "svcbench", "vm"), nil
}

// New gets what the machine needs: QEMU, its kernel, and how it is executed.
// The Machine must be closed.
func New(ctx context.Context, o Options) (_ *Machine, err error) {
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	m := &Machine{options: o, launcher: process.NewLauncher(), silence: silence}
	if o.Spec.Clock == Instructions {
		m.silence = patience
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.qemu, err = process.LookPath(emulator); err != nil {
		return nil, failure.New(failure.Environment, fmt.Errorf("find QEMU: %w", err), "`make setup-vm` installs what the VM needs")
	}
	if m.version, err = versionOf(ctx, m.qemu); err != nil {
		return nil, err
	}
	if m.kernel, err = kernel.Find(ctx, o.Spec.Kernel, o.Spec.Modules, o.Cache, o.Notify); err != nil {
		return nil, err
	}
	if m.accel, err = m.chooseAccel(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// versionOf asks QEMU for its version.
func versionOf(ctx context.Context, qemu string) (string, error) {
	out, err := exec.CommandContext(ctx, qemu, "--version").Output()
	if err != nil {
		return "", failure.New(failure.Environment, fmt.Errorf("ask QEMU for its version: %w", err), "install QEMU again")
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(first, "QEMU emulator version "), nil
}

// Close ends what is left of the machine.
func (m *Machine) Close() { m.launcher.Close() }

// Facts describe the machine: what a reader must know of results from it, by
// name.
func (m *Machine) Facts() map[string]string {
	return map[string]string{
		"vm":       m.kernel.String(),
		"vm.clock": string(m.options.Spec.Clock),
		"vm.accel": string(m.accel),
		"vm.qemu":  m.version,
		"vm.cpus":  fmt.Sprint(m.options.Spec.CPUs),
	}
}

// Job is what a guest does.
type Job struct {
	// Name tells apart the jobs of a Machine that are done at a time. It can
	// be the name of a file.
	Name string
	// Args, Env and Dir are those of the program.
	Args []string
	Env  []string
	Dir  string
	// Share is a folder of the host that the guest finds at ShareFolder and
	// may write to; empty means none.
	Share string
	// Preload are files that are read into the guest's memory first, so that
	// it does not wait for them later. Programs need not come with libraries.
	Preload []string
	// Console is the file that gets what the guest's kernel says.
	Console string
	// Seed is that of the guest's randomness with the instruction clock.
	Seed uint64
	// Stdout and Stderr get what the program writes.
	Stdout, Stderr io.Writer
	// Started is called when the program has started, with how long it took
	// from the start of QEMU until then; nil means nobody.
	Started func(time.Duration)
}

// Environment is what the program needs of the environment in any case.
func Environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin", "HOME=/root", "LANG=C.UTF-8", "TMPDIR=" + wire.TempFolder,
	}
}

// Run boots the machine, runs the job and returns the program's exit code when
// the machine is off. A guest that crashes or hangs is a failure.Environment
// with the end of what its kernel said. When ctx ends the program is
// interrupted as by Ctrl-C, and the machine ends with it. Run may be called
// several times at a time: each boots a machine of its own.
func (m *Machine) Run(ctx context.Context, job Job) (int, error) {
	files, err := initramfs.WithLibraries(job.Preload)
	if err != nil {
		return 0, err
	}
	name := "run-" + job.Name
	defer os.Remove(m.initramfs(name)) // it is large, and the next job has one of its own
	s, err := m.start(ctx, m.accel, job, wire.Job{
		Program: m.options.Program, Args: job.Args, Env: append(Environment(), job.Env...), Dir: job.Dir,
		Share: job.Share != "", Kernel: m.kernel.Modules, Preload: files, Beat: beatEvery,
	}, name)
	if err != nil {
		return 0, err
	}
	defer s.kill()
	return s.follow(ctx)
}

// initramfs is the file for a start of that name.
func (m *Machine) initramfs(name string) string {
	return filepath.Join(m.options.Work, name+".cpio")
}

// start starts QEMU. name is that of its files in the work folder.
func (m *Machine) start(ctx context.Context, accel Accel, job Job, inside wire.Job, name string) (*session, error) {
	h := hardware{
		spec: m.options.Spec, accel: accel, image: m.kernel.Image, share: job.Share, seed: job.Seed, start: time.Now(),
		initramfs: m.initramfs(name), console: job.Console,
	}
	if h.console == "" {
		h.console = filepath.Join(m.options.Work, name+"-console.log")
	}
	err := initramfs.Write(ctx, h.initramfs, initramfs.Spec{
		Program: m.options.Program, Tree: m.kernel.Modules, Needed: neededModules(), Useful: usefulModules(), Job: inside,
	})
	if err != nil {
		return nil, err
	}
	qemu, err := m.launcher.Start(ctx, process.Spec{
		Name: "QEMU", Path: m.qemu, Args: h.arguments(), Pipes: true, Log: filepath.Join(m.options.Work, name+"-qemu.log"),
	})
	if err != nil {
		return nil, err
	}
	return newSession(qemu, h, job, m.silence), nil
}
