package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is the processes of this machine, among which are those of the nodes:
// compareClocks has made sure that the kernel is the same. They are looked at from
// here because a program in the node would have to be started for each look.
type machine struct {
	proc string // where /proc is
	net  string // the network namespace of the client's node
}

// findMachine finds the network namespace of a node.
func findMachine(ctx context.Context, n node) (machine, error) {
	out, err := n.engine.run(ctx, "inspect", "--format={{.State.Pid}}", n.name)
	if err != nil {
		return machine{}, err
	}
	m := machine{proc: "/proc"}
	if m.net, err = os.Readlink(filepath.Join(m.proc, strings.TrimSpace(string(out)), "ns", "net")); err != nil {
		return machine{}, notFit(fmt.Errorf("find the processes of %s among those of this machine: %w", n.name, err))
	}
	return m, nil
}

// find returns the process with that name that shares the node's network, 0 if
// there is none.
func (m machine) find(name string) (pid int, err error) {
	entries, err := os.ReadDir(m.proc)
	if err != nil {
		return 0, fmt.Errorf("look for %s: %w", name, err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(m.proc, e.Name(), "comm"))
		if err != nil || string(bytes.TrimSpace(comm)) != name {
			continue
		}
		if net, err := os.Readlink(filepath.Join(m.proc, e.Name(), "ns", "net")); err == nil && net == m.net {
			return pid, nil
		}
	}
	return 0, nil
}

// read reads a file of a process's folder.
func (m machine) read(pid int, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(m.proc, strconv.Itoa(pid), name))
}

// root is where the files of a process are found from here.
func (m machine) root(pid int) string { return filepath.Join(m.proc, strconv.Itoa(pid), "root") }

// ended returns a channel that is closed when a process ends. It costs nothing
// until then.
func (m machine) ended(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer unix.Close(fd)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return gone, nil
}

// notFit tells users who may not look at processes of others what to do.
func notFit(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return needsRoot(err)
	}
	return err
}
