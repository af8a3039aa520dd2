package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svcbench/internal/failure"
	"svcbench/internal/process"
)

// TestMain makes the test's program what runs inside the machines.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == InitCommand:
		fmt.Fprintln(os.Stderr, Init()) // it returns only if it fails
	case len(os.Args) > 1 && os.Args[1] == insideCommand:
		os.Exit(inside(os.Args[2]))
	default:
		os.Exit(m.Run())
	}
}

const insideCommand = "vm-test"

// inside is what the tests run in a machine.
func inside(what string) int {
	switch what {
	case "look":
		return look()
	case "panic":
		fmt.Println(os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0))
	case "wait":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt)
		fmt.Println("waiting")
		<-signals
		fmt.Println("interrupted")
		return 7
	}
	return 1
}

// look finds out what a job can see and do.
func look() int {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	_, noVirtualServers := os.Stat("/proc/net/ip_vs")
	modules, noModules := os.ReadDir(filepath.Join("/lib/modules", strings.TrimSpace(string(release))))
	err = errors.Join(err, noVirtualServers, noModules,
		os.WriteFile("/etc/svcbench-vm-test", []byte("only in memory"), 0o644),
		os.WriteFile(filepath.Join(ShareFolder, "found"), []byte("by the host"), 0o644),
		os.WriteFile(filepath.Join(os.TempDir(), "file"), nil, 0o644))
	fmt.Print(string(release))
	if err != nil || len(modules) == 0 {
		fmt.Fprintln(os.Stderr, err, len(modules))
		return 1
	}
	fmt.Fprintln(os.Stderr, "complaint")
	return 3
}

// machine returns a machine, or skips the test where there can be none.
func machine(t *testing.T, flag string) *Machine {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	if _, err := process.LookPath(emulator); err != nil {
		t.Skip("there is no QEMU here: ", err)
	}
	cache, err := DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ParseSpec(flag)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(t.Context(), Options{Spec: spec, Cache: cache, Work: t.TempDir(), Program: self, Notify: func(s string) { t.Log(s) }})
	if failure.CodeOf(err) == failure.Environment {
		t.Skip("no kernel can be had here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// TestMachine boots machines of both clocks, sees that a job has what it
// needs and that its words, its files and its code come back.
func TestMachine(t *testing.T) {
	for _, flag := range []string{"kernel=debian-6.1", "kernel=debian-6.1,clock=instructions"} {
		t.Run(flag, func(t *testing.T) {
			m := machine(t, flag)
			var out, complaints bytes.Buffer
			share := t.TempDir()
			code, err := m.Run(t.Context(), Job{
				Args: []string{insideCommand, "look"}, Dir: "/", Share: share, Preload: []string{"/bin/sh"},
				Stdout: &out, Stderr: &complaints, Seed: 1,
				Started: func(d time.Duration) { t.Logf("started after %v", d) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if code != 3 || strings.TrimSpace(out.String()) != m.kernel.Release || complaints.String() != "complaint\n" {
				t.Errorf("code %d, out %q, err %q; kernel %s", code, out.String(), complaints.String(), m.kernel.Release)
			}
			if b, err := os.ReadFile(filepath.Join(share, "found")); err != nil || string(b) != "by the host" {
				t.Errorf("in the share is %q, %v", b, err)
			}
			if _, err := os.Stat("/etc/svcbench-vm-test"); err == nil {
				t.Error("the guest has written to the host's root")
			}
		})
	}
}

// TestCrash sees a kernel that panics.
func TestCrash(t *testing.T) {
	m := machine(t, "kernel=debian-6.1")
	_, err := m.Run(t.Context(), Job{Args: []string{insideCommand, "panic"}, Dir: "/"})
	if failure.CodeOf(err) != failure.Environment || !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("a kernel that panics gives: %v", err)
	}
}

// TestHang sees a guest of which nothing is heard.
func TestHang(t *testing.T) {
	m := machine(t, "kernel=debian-6.1")
	m.silence = time.Second // less than it takes to boot
	_, err := m.Run(t.Context(), Job{Args: []string{insideCommand, "wait"}, Dir: "/"})
	if failure.CodeOf(err) != failure.Environment || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("a guest that is silent gives: %v", err)
	}
}

// TestInterrupt sees that a job can clean up after Ctrl-C.
func TestInterrupt(t *testing.T) {
	m := machine(t, "kernel=debian-6.1")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out interrupting
	out.interrupt = interrupt
	code, err := m.Run(ctx, Job{Args: []string{insideCommand, "wait"}, Dir: "/", Stdout: &out})
	if err != nil || code != 7 || !strings.HasSuffix(out.String(), "interrupted\n") {
		t.Errorf("code %d, out %q: %v", code, out.String(), err)
	}
}

// interrupting interrupts as soon as something is written to it.
type interrupting struct {
	bytes.Buffer
	interrupt func()
}

func (i *interrupting) Write(b []byte) (int, error) {
	i.interrupt()
	return i.Buffer.Write(b)
}
