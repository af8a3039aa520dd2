package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/path"
)

// The links of the trial namespace.
const (
	trialClient  = "client"
	trialBackend = "backend"
)

// inTrialNamespace runs f on a thread in a new network namespace with two
// links. The namespace has no name and ends with the thread: nothing is left
// behind, however the program ends.
func inTrialNamespace(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the runtime ends the thread
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("make a network namespace: %w", err)
			}
			if err := trialLinks(); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

// trialLinks makes a veth pair in the namespace of the calling thread.
func trialLinks() error {
	handle, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer handle.Close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: trialClient}, PeerName: trialBackend}
	if err := handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("make a veth pair: %w", err)
	}
	for _, name := range []string{trialClient, trialBackend} {
		link, err := handle.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find link %q: %w", name, err)
		}
		if err := handle.LinkSetUp(link); err != nil {
			return fmt.Errorf("bring up link %q: %w", name, err)
		}
	}
	return nil
}

func (m *Machine) namespaces(context.Context) Finding {
	if err := inTrialNamespace(func() error { return nil }); err != nil {
		if errors.Is(err, unix.EPERM) {
			return failed("run as root outside a container, or in a privileged one", "not permitted: %v", err)
		}
		return failed("use a kernel with network namespaces and veth", "%v", err)
	}
	return okay("a namespace with links could be made")
}

// ephemeralPorts looks inside a new namespace, because clients live in one.
func (m *Machine) ephemeralPorts(context.Context) Finding {
	var text string
	err := inTrialNamespace(func() error {
		var err error
		text, err = read("/proc/sys/net/ipv4/ip_local_port_range") // that of the reading thread's namespace
		return err
	})
	if err != nil {
		return unknown(err)
	}
	bounds := strings.Fields(text)
	if len(bounds) != 2 {
		return unknown(fmt.Errorf("range %q", text))
	}
	low, err1 := strconv.Atoi(bounds[0])
	high, err2 := strconv.Atoi(bounds[1])
	if err := errors.Join(err1, err2); err != nil {
		return unknown(err)
	}
	if n := high - low + 1; n < comfortablePorts {
		return warning(`sysctl -w net.ipv4.ip_local_port_range="32768 60999"`, "%d to %d are few for many connections to one Service", low, high)
	}
	return okay("%d to %d", low, high)
}

// path attaches the programs of the path instrument to links as a trial does.
func (m *Machine) path(ctx context.Context) Finding {
	var how string
	err := inTrialNamespace(func() error {
		session, run := newInProcess(ctx, path.Serve)
		attached := make(chan error, 1)
		go func() {
			var err error
			how, err = attach(ctx, session)
			attached <- errors.Join(err, session.Close())
		}()
		run() // on this thread, which is in the namespace
		return <-attached
	})
	switch {
	case errors.Is(err, path.ErrUnsupported):
		return warning("use a newer kernel, or do without path.*", "%v", err)
	case err != nil:
		return warning("none is needed: reports then leave out path.*", "could not be attached: %v", err)
	}
	return okay("attached by %s", how)
}

func attach(ctx context.Context, session agent.Session) (string, error) {
	probe, err := path.Attach(ctx, launched{session}, path.Spec{ClientLink: trialClient, BackendLink: trialBackend})
	if err != nil {
		return "", err
	}
	return probe.How(), probe.Close()
}

// launched is a Launcher with one agent that is already there.
type launched struct{ agent.Session }

// Launch returns the agent.
func (l launched) Launch(context.Context, string) (agent.Session, error) { return l.Session, nil }

// inProcess is the session of an agent that runs inside this program.
type inProcess struct {
	*io.PipeReader
	stdin *io.PipeWriter
}

// newInProcess returns a session and the function that runs its agent on the
// calling thread until the session is closed.
func newInProcess(ctx context.Context, serve func(context.Context, *agent.Conn) error) (agent.Session, func()) {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	run := func() {
		conn := agent.NewConn(in, out)
		if err := serve(ctx, conn); err != nil {
			_ = conn.Fail(err) // the other end may be gone
		}
		_, _ = in.Close(), out.Close() // nobody is there any more
	}
	return &inProcess{PipeReader: stdout, stdin: stdin}, run
}

// Write writes to the agent's standard input.
func (s *inProcess) Write(p []byte) (int, error) { return s.stdin.Write(p) }

// Close ends the agent as the end of its standard input does.
func (s *inProcess) Close() error {
	return errors.Join(s.stdin.Close(), s.PipeReader.Close())
}
