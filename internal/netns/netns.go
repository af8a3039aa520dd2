// Package netns makes named network namespaces and runs code inside them.
// It is a thin layer over vishvananda/netns that keeps the rule every user
// of that package must keep: a thread is never given back to the Go
// scheduler while it is in a foreign namespace.
package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Folder is where named namespaces are mounted, the one "ip netns" uses.
const Folder = "/run/netns"

// Namespace is a named network namespace.
type Namespace struct {
	name string
	h    netns.NsHandle
}

// Create makes a new named namespace with its loopback device up.
func Create(name string) (*Namespace, error) {
	var h netns.NsHandle
	err := onThread(func() error {
		var err error
		h, err = netns.NewNamed(name) // leaves the thread inside the new namespace
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create network namespace %q: %w", name, err)
	}
	n := &Namespace{name: name, h: h}
	if err := n.loopbackUp(); err != nil {
		return nil, errors.Join(err, n.Delete())
	}
	return n, nil
}

// Open returns the namespace of that name.
func Open(name string) (*Namespace, error) {
	h, err := netns.GetFromName(name)
	if err != nil {
		return nil, fmt.Errorf("open network namespace %q: %w", name, err)
	}
	return &Namespace{name: name, h: h}, nil
}

// List returns the names of all namespaces that begin with prefix.
func List(prefix string) ([]string, error) {
	entries, err := os.ReadDir(Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Name returns the name of the namespace.
func (n *Namespace) Name() string { return n.name }

// FD returns the file descriptor of the namespace, valid until Delete.
func (n *Namespace) FD() int { return int(n.h) }

// Do runs f on a thread that is inside the namespace. Everything f creates
// on that thread (sockets, child processes) belongs to the namespace; what f
// starts on other goroutines does not.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(n.h); err != nil {
			return fmt.Errorf("enter network namespace %q: %w", n.name, err)
		}
		return f()
	})
}

// DialContext connects from inside the namespace. addr must hold a literal
// address: name resolution would leave the thread.
func (n *Namespace) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var c net.Conn
	err := n.Do(func() error {
		var err error
		var d net.Dialer
		c, err = d.DialContext(ctx, network, addr)
		return err
	})
	return c, err
}

// Netlink returns a netlink handle that works inside the namespace. The
// caller closes it.
func (n *Namespace) Netlink() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(n.h)
	if err != nil {
		return nil, fmt.Errorf("netlink in network namespace %q: %w", n.name, err)
	}
	return h, nil
}

// Sysctl writes a kernel setting of the namespace; key uses dots.
func (n *Namespace) Sysctl(key, value string) error {
	return n.Do(func() error {
		path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set %s=%s in network namespace %q: %w", key, value, n.name, err)
		}
		return nil
	})
}

// Processes returns the ids of all other processes whose main thread is in
// the namespace.
func (n *Namespace) Processes() ([]int, error) {
	var want syscall.Stat_t
	if err := syscall.Fstat(int(n.h), &want); err != nil {
		return nil, fmt.Errorf("stat network namespace %q: %w", n.name, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() { // whose main thread may be there for a moment, in Do
			continue
		}
		var st syscall.Stat_t
		// A process that ended meanwhile is no longer there to be found.
		if syscall.Stat(filepath.Join("/proc", e.Name(), "ns/net"), &st) == nil && st.Ino == want.Ino && st.Dev == want.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Delete removes the name; the namespace itself ends with the last process
// and socket inside it. Deleting twice is not an error.
func (n *Namespace) Delete() error {
	var errs []error
	if n.h.IsOpen() {
		errs = append(errs, n.h.Close())
	}
	err := netns.DeleteNamed(n.name)
	if errors.Is(err, syscall.EINVAL) {
		// A name that nothing is mounted on: its maker was killed in between.
		err = os.Remove(filepath.Join(Folder, n.name))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete network namespace %q: %w", n.name, err)
	}
	return nil
}

func (n *Namespace) loopbackUp() error {
	h, err := n.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo in network namespace %q: %w", n.name, err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up lo in network namespace %q: %w", n.name, err)
	}
	return nil
}

// onThread runs f on a locked thread and puts the thread back into its own
// namespace. When that fails the thread stays locked, so that the runtime
// destroys it instead of letting other goroutines run in the wrong place.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("current network namespace: %w", err)
			return
		}
		defer home.Close()
		err = f()
		if back := netns.Set(home); back != nil {
			done <- errors.Join(err, fmt.Errorf("return to own network namespace: %w", back))
			return // still locked: the thread ends with this goroutine
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}
