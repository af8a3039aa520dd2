package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/netns"
	"svcbench/internal/process"
)

// asProgram makes the test binary a program that starts a child, prints its
// id and waits to be killed.
const asProgram = "SVCBENCH_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	p, err := process.NewLauncher().Start(context.Background(), process.Spec{Name: "sleep", Path: "sleep", Args: []string{"1000"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
}

func newLauncher(t *testing.T) *process.Launcher {
	t.Helper()
	l := process.NewLauncher()
	t.Cleanup(l.Close)
	return l
}

// shell starts a shell that runs script.
func shell(t *testing.T, l *process.Launcher, script string, spec process.Spec) *process.Process {
	t.Helper()
	spec.Name, spec.Path, spec.Args = "shell", "/bin/sh", []string{"-c", script}
	p, err := l.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

// handle is a process that anybody started, and that a number cannot be
// mistaken for once it has ended.
type handle int

// open returns the handle of the process whose id is the next line of r.
func open(t *testing.T, r io.Reader) handle {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("pidfd of %d: %v", pid, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return handle(fd)
}

// awaitEnd waits for the end of the process.
func (h handle) awaitEnd(t *testing.T) {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(h), Events: unix.POLLIN}}, 20_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			_ = unix.PidfdSendSignal(int(h), unix.SIGKILL, nil, 0)
			t.Errorf("process is still there (%v)", err)
		}
		return
	}
}

func TestLogAndEnd(t *testing.T) {
	l := newLauncher(t)
	log := filepath.Join(t.TempDir(), "logs", "shell.log")
	p := shell(t, l, "i=0; while [ $i -lt 900 ]; do echo line $i; i=$((i+1)); done; echo the last >&2; exit 3", process.Spec{Log: log})
	<-p.Done()
	err := p.Err()
	if err == nil {
		t.Fatal("Err = nil for status 3")
	}
	for _, want := range []string{"shell ended: exit status 3", log, "line 899\nthe last"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Err = %v\nwant it to have %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "line 800") {
		t.Errorf("Err = %v\nwant only the end of the log", err)
	}
	if all, err := os.ReadFile(log); err != nil || !strings.HasPrefix(string(all), "line 0\n") {
		t.Errorf("log begins with %.20q, %v", all, err)
	}
	if p.Started() == 0 {
		t.Error("Started = 0")
	}
	if good := shell(t, l, "exit 0", process.Spec{}); true {
		<-good.Done()
		if err := good.Err(); err != nil {
			t.Errorf("Err = %v for status 0", err)
		}
	}
}

// A crash of a Go program ends with many lines that say little.
func TestLogOfCrash(t *testing.T) {
	const script = "echo before; printf 'panic: no space left\n\ngoroutine 1 [running]:\n'; seq 30; exit 2"
	p := shell(t, newLauncher(t), script, process.Spec{Log: filepath.Join(t.TempDir(), "log")})
	<-p.Done()
	if err := p.Err(); err == nil || !strings.HasSuffix(err.Error(), "before\npanic: no space left") {
		t.Errorf("Err = %v", err)
	}
}

// Whom the kernel kills to get memory leaves no words.
func TestKilledByAnother(t *testing.T) {
	p := shell(t, newLauncher(t), "kill -KILL $$", process.Spec{})
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "signal: killed (by the kernel") {
		t.Errorf("Err = %v", err)
	}
	stopped := shell(t, newLauncher(t), "sleep 1000", process.Spec{})
	stopped.Stop(0)
	if err := stopped.Err(); err == nil || strings.Contains(err.Error(), "kernel") {
		t.Errorf("Err after Stop = %v", err)
	}
}

// Programs for root are found also where the user's PATH does not lead, and
// none in the working directory.
func TestSearchPath(t *testing.T) {
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "nft"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	t.Setenv("PATH", "/usr/local/sbin:.:/usr/bin:/bin:")
	l := newLauncher(t)
	out, err := l.Output(t.Context(), nil, nil, "sh", "-c", "echo $PATH")
	if want := "/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin\n"; err != nil || string(out) != want {
		t.Errorf("PATH is %q, %v; want %q", out, err, want)
	}
	t.Setenv("PATH", "")
	if _, err := l.Output(t.Context(), nil, nil, "chroot", "--version"); err != nil { // in /usr/sbin
		t.Error(err)
	}
	if _, err := l.Output(t.Context(), nil, nil, "no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Output of a program that is missing = %v", err)
	}
}

func TestStop(t *testing.T) {
	const begin = "sleep 1000 & echo $!; "
	for _, c := range []struct {
		name, script string
		grace        time.Duration
		well         bool
	}{
		{"politely", "trap 'exit 0' TERM; " + begin + "wait", 20 * time.Second, true},
		{"by force", "trap '' TERM; " + begin + "while :; do wait; done", time.Millisecond, false},
		{"at once", begin + "wait", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := shell(t, newLauncher(t), c.script, process.Spec{Pipes: true})
			child := open(t, p)
			p.Stop(c.grace)
			p.Stop(c.grace)
			if err := p.Err(); (err == nil) != c.well {
				t.Errorf("Err = %v", err)
			}
			child.awaitEnd(t)
		})
	}
}

// A process that ends by itself takes along what it started.
func TestChildrenLeftOver(t *testing.T) {
	p := shell(t, newLauncher(t), "sleep 1000 & echo $!; read line; exit 0", process.Spec{Pipes: true})
	child := open(t, p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	child.awaitEnd(t)
}

func TestPipes(t *testing.T) {
	l := newLauncher(t)
	p := shell(t, l, "read line; echo got $line; echo noise >&2; cat > /dev/null", process.Spec{Pipes: true, Log: filepath.Join(t.TempDir(), "log")})
	if _, err := io.WriteString(p, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(p).ReadString('\n'); err != nil || line != "got hello\n" {
		t.Errorf("read %q, %v", line, err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	// The end of its output may be seen before that of the process.
	broken := shell(t, l, "echo broken >&2; exec >&-; exit 7", process.Spec{Pipes: true, Log: filepath.Join(t.TempDir(), "log")})
	if _, err := io.ReadAll(broken); err != nil {
		t.Fatal(err)
	}
	if err := broken.Close(); err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("Close = %v, want how it ended by itself", err)
	}
	stopped := shell(t, l, "sleep 1000", process.Spec{Pipes: true})
	stopped.Stop(0)
	if err := stopped.Close(); err != nil {
		t.Errorf("Close after Stop = %v", err)
	}
}

// Children end with the launcher, and with a program that is killed.
func TestNothingOutlives(t *testing.T) {
	t.Run("the launcher", func(t *testing.T) {
		l := newLauncher(t)
		p := shell(t, l, "exec sleep 1000", process.Spec{})
		l.Close()
		l.Close()
		<-p.Done()
		if _, err := l.Start(t.Context(), process.Spec{Name: "late", Path: "/bin/true"}); err == nil {
			t.Error("Start after Close: no error")
		}
		if _, err := l.Output(t.Context(), nil, nil, "/bin/true"); err == nil {
			t.Error("Output after Close: no error")
		}
	})
	t.Run("the program", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		child := open(t, out)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // says that it was killed
		child.awaitEnd(t)
	})
}

func TestStartFails(t *testing.T) {
	l := newLauncher(t)
	_, err := l.Start(t.Context(), process.Spec{Name: "nothing", Path: "/nonexistent", Pipes: true})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start nothing") {
		t.Errorf("Start = %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("trial over")
	cancel(why)
	if _, err := l.Start(ctx, process.Spec{Name: "late", Path: "/bin/true"}); !errors.Is(err, why) {
		t.Errorf("Start after the end of its context = %v", err)
	}
}

func TestOutput(t *testing.T) {
	l := newLauncher(t)
	t.Setenv("KUBECONFIG", "/home/user/.kube/config")
	out, err := l.Output(t.Context(), nil, []byte("in"), "/bin/sh", "-c", `cat; echo " $LANG$KUBECONFIG"`)
	if err != nil || string(out) != "in C\n" {
		t.Errorf("Output = %q, %v", out, err)
	}
	_, err = l.Output(t.Context(), nil, nil, "/bin/sh", "-c", "echo no such rule >&2; exit 2")
	if err == nil || !strings.Contains(err.Error(), "exit status 2: no such rule") {
		t.Errorf("Output = %v, want status and standard error", err)
	}
	// The sleep keeps the output open after the shell was killed.
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("too slow"))
	defer cancel()
	if _, err = l.Output(ctx, nil, nil, "/bin/sh", "-c", "sleep 1000; true"); err == nil || !strings.Contains(err.Error(), "too slow") {
		t.Errorf("Output = %v, want why it was killed", err)
	}
}

// Processes start where they should, also when many are started at once, and
// the launcher's thread does not stay there.
func TestNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	l := newLauncher(t)
	where := func(ns *netns.Namespace) (string, error) {
		out, err := l.Output(t.Context(), ns, nil, "readlink", "/proc/self/ns/net")
		return strings.TrimSpace(string(out)), err
	}
	wants := map[*netns.Namespace]string{}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	wants[nil] = own
	for i := range 2 {
		ns, err := netns.Create(fmt.Sprintf("svcbench-test-%d-%d", os.Getpid(), i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ns.Delete(); err != nil {
				t.Error(err)
			}
		})
		var st unix.Stat_t
		if err := unix.Fstat(ns.FD(), &st); err != nil {
			t.Fatal(err)
		}
		wants[ns] = fmt.Sprintf("net:[%d]", st.Ino)
	}
	var all sync.WaitGroup
	for range 10 {
		for ns, want := range wants {
			all.Go(func() {
				if got, err := where(ns); err != nil || got != want {
					t.Errorf("process runs in %s, %v; want %s", got, err, want)
				}
			})
		}
	}
	all.Wait()
}
