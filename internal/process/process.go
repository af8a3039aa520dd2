// Package process runs the child processes of a trial: in a network
// namespace, in a process group of their own, with their output in a file,
// and never outliving svcbench, however it ends.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/netns"
)

// Spec describes one child process.
type Spec struct {
	// Name is what messages call the process.
	Name string
	Path string
	Args []string
	// Env is added to a minimal environment (PATH, HOME, LANG).
	Env []string
	// Namespace is the network namespace; nil means the machine's own.
	Namespace *netns.Namespace
	// Log is the file that gets standard error, and standard output unless
	// Pipes is true.
	Log string
	// Pipes connects standard input and output to the Process.
	Pipes bool
	// Cgroup is the folder of a cgroup v2 in which the process begins; empty
	// means that of svcbench.
	Cgroup string
}

// Launcher starts processes. The kernel kills every child when the thread
// that started it ends (PR_SET_PDEATHSIG), so one thread starts them all and
// lives until Close.
type Launcher struct {
	jobs   chan func()
	done   chan struct{}
	once   sync.Once
	thread int // its id
}

// NewLauncher returns a running launcher.
func NewLauncher() *Launcher {
	l := &Launcher{jobs: make(chan func()), done: make(chan struct{})}
	placed := make(chan struct{})
	go l.work(placed)
	<-placed
	return l
}

// work starts processes on a thread of its own, and closes placed when it has
// one.
func (l *Launcher) work(placed chan struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// Go never ends the main thread. While this goroutine holds it, the
		// next one gets another.
		go l.work(placed)
		<-placed
		runtime.UnlockOSThread()
		return
	}
	l.thread = unix.Gettid()
	close(placed)
	for {
		select {
		case job := <-l.jobs:
			job()
		case <-l.done:
			return // still locked: the thread ends, and with it its children
		}
	}
}

// do runs job on the launcher's thread.
func (l *Launcher) do(job func() error) error {
	result := make(chan error, 1)
	select {
	case l.jobs <- func() { result <- job() }:
		return <-result
	case <-l.done:
		return errors.New("launcher is closed")
	}
}

// Close ends the launcher's thread and with it every child still running.
func (l *Launcher) Close() { l.once.Do(func() { close(l.done) }) }

// Process is a running or ended child.
type Process struct {
	name    string
	cmd     *exec.Cmd
	log     string
	started int64
	done    chan struct{}
	err     error
	forced  atomic.Bool // Stop had to do something
	stdin   io.WriteCloser
	stdout  io.ReadCloser
}

// Start starts the process and returns at once.
func (l *Launcher) Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	p, files, err := prepare(spec)
	defer func() {
		for _, f := range files {
			_ = f.Close() // the child has its own copies
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	if err := l.do(func() error { return p.startIn(spec) }); err != nil {
		p.closePipes()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go p.wait()
	return p, nil
}

// prepare builds the command; the files returned are the parent's copies of
// what the child inherits.
func prepare(spec Spec) (*Process, []*os.File, error) {
	path, err := LookPath(spec.Path)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(path, spec.Args...)
	cmd.Env = append(baseEnv(), spec.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{name: spec.Name, cmd: cmd, log: spec.Log, done: make(chan struct{})}
	var files []*os.File
	if spec.Log != "" {
		if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
			return nil, files, err
		}
		f, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, files, err
		}
		files = append(files, f)
		cmd.Stdout, cmd.Stderr = f, f
	}
	if spec.Pipes {
		inR, inW, err := os.Pipe()
		if err != nil {
			return nil, files, err
		}
		files = append(files, inR)
		outR, outW, err := os.Pipe()
		if err != nil {
			return nil, append(files, inW), err
		}
		files = append(files, outW)
		cmd.Stdin, cmd.Stdout = inR, outW
		p.stdin, p.stdout = inW, outR
	}
	return p, files, nil
}

// wait waits for the end of the process, and then ends what it left over of
// its group (nft, iptables-restore). That must be done before the process is
// collected: afterwards the number of its group may be that of strangers.
func (p *Process) wait() {
	pid := p.cmd.Process.Pid
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.Kill(-pid, unix.SIGKILL) // the process itself has ended and does not feel it
	p.err = p.cmd.Wait()
	close(p.done)
}

// closePipes closes this end of the pipes.
func (p *Process) closePipes() {
	if p.stdin != nil {
		_ = p.stdin.Close()
		_ = p.stdout.Close()
	}
}

// Name returns the name given in the Spec.
func (p *Process) Name() string { return p.name }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Started returns when the process was executed, in ns of CLOCK_MONOTONIC.
func (p *Process) Started() int64 { return p.started }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, with the end of its log: nil while it runs
// and after it ended with status 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.err == nil {
		return nil
	}
	err := fmt.Errorf("%s ended: %w%s", p.name, p.err, p.killer())
	if tail := p.logTail(); tail != "" {
		return fmt.Errorf("%w; the end of its log %s:\n%s", err, p.log, tail)
	}
	return err
}

// killer says who may have killed the process, which then has said nothing
// itself; empty if nobody did, or Stop.
func (p *Process) killer() string {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != unix.SIGKILL || p.forced.Load() {
		return ""
	}
	return " (by the kernel if memory ran out, see dmesg)"
}

// Stop asks the process to end, kills it after grace and returns when it and
// its whole process group have been ended. Stopping twice is not an error.
func (p *Process) Stop(grace time.Duration) {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	if grace > 0 {
		if p.cmd.Process.Signal(unix.SIGTERM) == nil { // an error means that it has ended
			p.forced.Store(true)
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
	}
	if p.cmd.Process.Kill() == nil { // an error means that it has ended
		p.forced.Store(true)
	}
	<-p.done
	p.closePipes()
}

// Read reads the standard output of a process started with Pipes.
func (p *Process) Read(b []byte) (int, error) { return p.stdout.Read(b) }

// Write writes to the standard input of a process started with Pipes.
func (p *Process) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// Close ends a process started with Pipes by closing its standard input, by
// force after two seconds, and returns how it ended if that was by itself
// and not well.
func (p *Process) Close() error {
	_ = p.stdin.Close()
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	p.Stop(0)
	if p.forced.Load() {
		return nil
	}
	return p.Err()
}

// logTail returns the last words of the process: the end of its log or, where
// Go has listed its goroutines there, what comes before those.
func (p *Process) logTail() string {
	const (
		look  = 64 << 10 // bytes
		shown = 6        // lines
	)
	f, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > look {
		_, _ = f.Seek(-look, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	if said, _, crashed := bytes.Cut(b, []byte("\n\ngoroutine ")); crashed {
		b = said
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-shown):], []byte("\n")))
}

// baseEnv is what every child gets: nothing of the user's settings that
// could change how it behaves (KUBECONFIG, GODEBUG, proxies). Its home folder
// is one that not even root could make, so that nothing is left in it.
func baseEnv() []string {
	return []string{"LANG=C", "HOME=/dev/null", "PATH=" + strings.Join(searchPath(), string(filepath.ListSeparator))}
}

// searchPath is the user's PATH and, because sudo and su leave them out for
// some, the folders of programs for root.
func searchPath() []string {
	var dirs []string
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) { // others would depend on the working directory
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// LookPath finds a program where children would find it: in PATH or in the
// folders of programs for root. The error is an exec.ErrNotFound.
func LookPath(program string) (string, error) {
	if filepath.Base(program) != program {
		return program, nil
	}
	for _, dir := range searchPath() {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", &exec.Error{Name: program, Err: exec.ErrNotFound}
}

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // exists since Linux 2.6
	return ts.Nano()
}
