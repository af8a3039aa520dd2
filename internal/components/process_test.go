package components

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"svcbench/internal/failure"
)

// TestOtherProcess is the other process of the tests below.
func TestOtherProcess(t *testing.T) {
	stub := os.Getenv("OTHER_PROCESS")
	if stub == "" {
		t.Skip("it does nothing unless started by another test")
	}
	if _, err := storeIn(stub).Ensure(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
}

// startOther starts a process that builds and returns when its build has
// started. The build lasts until a line is written into the file returned.
func startOther(t *testing.T, stub string) (other *exec.Cmd, release *os.File) {
	t.Helper()
	for _, name := range []string{"begun", "release"} {
		if err := syscall.Mkfifo(filepath.Join(stub, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(stub, "during"), `echo $$ > "$STUB/begun"; read -r line < "$STUB/release"`, 0o644)
	other = exec.Command(os.Args[0], "-test.run=^TestOtherProcess$", "-test.v")
	other.Env = append(os.Environ(), "OTHER_PROCESS="+stub)
	other.Stdout, other.Stderr = os.Stderr, os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill() })
	// Both ends are opened for reading and writing, so that nobody here
	// waits for ever for a process that has died.
	begun, err := os.OpenFile(filepath.Join(stub, "begun"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Close()
	if err := begun.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(begun).ReadString('\n'); err != nil {
		t.Fatalf("the other process does not build: %v", err)
	}
	release, err = os.OpenFile(filepath.Join(stub, "release"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release.Close() })
	return other, release
}

func TestTwoProcesses(t *testing.T) {
	s, stub := stubStore(t)
	other, release := startOther(t, stub)
	waited := false
	paths, err := s.Ensure(t.Context(), nil, func(e Event) {
		if e.Phase != Waiting || waited {
			return
		}
		waited = true
		if want := fmt.Sprint("process ", other.Process.Pid); e.Detail != want {
			t.Errorf("waits for %q, want %q", e.Detail, want)
		}
		fmt.Fprintln(release)
	})
	if err != nil || len(paths) != 2 {
		t.Fatalf("paths %v, error %v", paths, err)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
	if !waited || builds(t, stub) != 1 {
		t.Errorf("waited %t, %d builds; want to wait for the other's build", waited, builds(t, stub))
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	s, stub := stubStore(t)
	startOther(t, stub)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Ensure(ctx, nil, func(e Event) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// TestKilled checks that a build that died with its process does not count,
// and that the next one clears up after it.
func TestKilled(t *testing.T) {
	s, stub := stubStore(t)
	other, _ := startOther(t, stub)
	write(t, filepath.Join(s.dir, "tiny-v1.2.3.building", "half"), "x", 0o644)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if all, err := s.Status(t.Context()); err != nil || all[0].State != Missing {
		t.Errorf("status after the kill: %+v, %v", all, err)
	}
	if err := os.Remove(filepath.Join(stub, "during")); err != nil {
		t.Fatal(err)
	}
	ensure(t, s)
	only(t, s, "tiny-v1.2.3", "tiny-v1.2.3.lock")
	if _, err := os.Stat(filepath.Join(s.dir, "tiny-v1.2.3", "half")); err == nil {
		t.Error("a file of the killed build is among the programs")
	}
}

// TestCancel checks that the end of the context ends all that go started.
func TestCancel(t *testing.T) {
	s, stub := stubStore(t)
	write(t, filepath.Join(stub, "during"), `sleep 600 & echo $! > "$STUB/child"; echo begun >&2; echo example.test/tiny/lib >&2; wait`, 0o644)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped by the user")
	_, err := s.Ensure(ctx, nil, func(e Event) {
		if e.Phase == Link {
			cancel(stopped)
		}
	})
	if !errors.Is(err, stopped) || failure.CodeOf(err) == failure.Environment {
		t.Errorf("error is %v", err)
	}
	child, err := os.ReadFile(filepath.Join(stub, "child"))
	if err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, strings.TrimSpace(string(child)))
	only(t, s, "tiny-v1.2.3.lock")
}

// awaitEnd waits until a process is gone or a zombie nobody waits for.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %s still runs", pid)
}
