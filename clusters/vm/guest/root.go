package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"svcbench/clusters/vm/wire"
)

// mounting is one mount.
type mounting struct {
	source, target, kind string
	flags                uintptr
	options              string
}

// mount makes the target's folder if need be.
func (m mounting) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", m.target, err)
	}
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s (%s) on %s: %w", m.source, m.kind, m.target, err)
	}
	return nil
}

func mountAll(all []mounting) error {
	for _, m := range all {
		if err := m.mount(); err != nil {
			return err
		}
	}
	return nil
}

// mountKernel mounts the file systems of the kernel itself.
func mountKernel() error {
	return mountAll([]mounting{
		{source: "proc", target: "/proc", kind: "proc"},
		{source: "sysfs", target: "/sys", kind: "sysfs"},
		{source: "devtmpfs", target: "/dev", kind: "devtmpfs"},
	})
}

// loadModules loads modules from the initramfs, in their order. One that the
// machine cannot use is told to the console alone: whatever needs it says more.
func loadModules(names []string) error {
	for _, name := range names {
		f, err := os.Open(filepath.Join(wire.ModuleFolder, name))
		if err != nil {
			return fmt.Errorf("load module: %w", err)
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Fprintf(os.Stderr, "svcbench in the VM: load module %s: %v\n", name, err)
		}
	}
	return nil
}

// openPort opens the port to the host, which has its name in sysfs.
func openPort() (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, fmt.Errorf("look for the port to the host: %w", err)
	}
	for _, file := range names {
		name, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(name)) != wire.Port {
			continue
		}
		port, err := os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(file))), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("open the port to the host: %w", err)
		}
		return port, nil
	}
	return nil, errors.New("the machine has no port to the host")
}

// The folders of the initramfs that the root is made of.
const (
	lowerFolder   = "/lower"
	scratchFolder = "/scratch"
	newRoot       = "/new"
)

// enterRoot makes the host's files the root: read-only, under a layer in
// memory that takes whatever is written.
func enterRoot(job wire.Job) error {
	const ninep = "trans=virtio,version=9p2000.L,msize=512000"
	mounts := []mounting{
		// What has been read stays in memory (cache=loose): the host's files
		// do not change while they are looked at.
		{source: wire.RootTag, target: lowerFolder, kind: "9p", flags: unix.MS_RDONLY, options: ninep + ",cache=loose"},
		{source: "scratch", target: scratchFolder, kind: "tmpfs", options: "size=80%"},
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	upper, work := scratchFolder+"/upper", scratchFolder+"/work"
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make root: %w", err)
		}
	}
	mounts = []mounting{
		{source: "root", target: newRoot, kind: "overlay", options: "lowerdir=" + lowerFolder + ",upperdir=" + upper + ",workdir=" + work},
		{source: "/proc", target: newRoot + "/proc", flags: unix.MS_MOVE},
		{source: "/sys", target: newRoot + "/sys", flags: unix.MS_MOVE},
		{source: "/dev", target: newRoot + "/dev", flags: unix.MS_MOVE},
		{source: "shm", target: newRoot + "/dev/shm", kind: "tmpfs"},
		{source: "devpts", target: newRoot + "/dev/pts", kind: "devpts"},
		{source: "run", target: newRoot + "/run", kind: "tmpfs", options: "mode=755"},
		{source: "vm", target: newRoot + wire.GuestFolder, kind: "tmpfs", options: "mode=755,size=80%"},
		{source: "bpf", target: newRoot + "/sys/fs/bpf", kind: "bpf"},
		{source: "cgroup2", target: newRoot + "/sys/fs/cgroup", kind: "cgroup2"},
	}
	if job.Share {
		mounts = append(mounts, mounting{source: wire.ShareTag, target: newRoot + wire.ShareFolder, kind: "9p", options: ninep})
	}
	if job.Kernel != "" {
		mounts = append(mounts, mounting{source: newRoot + job.Kernel, target: filepath.Join(newRoot, "/lib/modules", filepath.Base(job.Kernel)), flags: unix.MS_BIND})
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+wire.TempFolder, 0o1777); err != nil {
		return fmt.Errorf("make folder for temporary files: %w", err)
	}
	// The program is in memory already.
	if err := unix.Mount(wire.ProgramFile, newRoot+job.Program, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("put the program at %s: %w", job.Program, err)
	}
	return settle()
}

// settle changes the root, and what else a system's start would do.
func settle() error {
	if err := os.Chdir(newRoot); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	// What ip netns and others share must be seen by all.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share mounts: %w", err)
	}
	const files = 1 << 20 // open files of a process, as services of a distribution may have
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}); err != nil {
		return fmt.Errorf("allow open files: %w", err)
	}
	if err := unix.Sethostname([]byte("svcbench-vm")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := netlink.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set up loopback: %w", err)
	}
	return nil
}
