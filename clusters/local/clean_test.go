package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"svcbench/clusters"
	"svcbench/internal/cgroup"
	"svcbench/internal/netns"
	"svcbench/internal/process"
	"svcbench/scenarios"
)

// startAndWait starts a cluster with a proxy, says so and waits to be killed.
func startAndWait(temp, logs string, mode scenarios.Mode) int {
	ctx := context.Background()
	p, err := provider(ctx, temp)
	if err == nil {
		var c clusters.Cluster
		if c, err = p.Start(ctx, clusters.Config{Name: "doomed", Mode: mode, LogDir: logs}); err == nil {
			_, err = c.Proxy().Start(ctx)
		}
	}
	fmt.Println(err)
	select {}
}

// After a kill -9, Clean removes what was left and nothing that lives.
func TestClean(t *testing.T) {
	for _, mode := range []scenarios.Mode{scenarios.NFTables, scenarios.EBPF} {
		t.Run(string(mode), func(t *testing.T) { cleanAfterKill(t, mode) })
	}
}

func cleanAfterKill(t *testing.T, mode scenarios.Mode) {
	p, temp := newProvider(t)
	mustRun(t, p, mode)
	before := machineNow(t, temp)
	alive, err := p.Start(t.Context(), clusters.Config{Name: "alive", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close(t.Context())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	doomed := exec.Command(self, "start-and-wait", temp, t.TempDir(), string(mode))
	out, err := doomed.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := doomed.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = doomed.Process.Kill() // where the test ends before it does that itself
		_ = doomed.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the doomed cluster did not start: %s%v", line, err)
	}
	if err := doomed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = doomed.Wait() // killed, as it should be

	left := leftoversIn(t, temp)
	if len(left) != 1 {
		t.Fatalf("leftovers %v, want those of one cluster", left)
	}
	var removed []string
	report := func(name string) { removed = append(removed, name) }
	if err := errors.Join(Clean(t.Context(), report), Clean(t.Context(), report)); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(removed, left[0]) {
		t.Errorf("removed %v, want %v", removed, left)
	}
	populate(t, alive.API()) // it lives
	if err := alive.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.same(t, machineNow(t, temp))
}

// A cgroup is removed with its owner, whenever that was killed; the programs in
// it end, and so do those that wrote into the work folder.
func TestCleanOneCgroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may register a cluster")
	}
	for _, inside := range []bool{false, true} {
		t.Run(fmt.Sprintf("with a process: %v", inside), func(t *testing.T) {
			o, err := newOwner(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer o.release()
			group, err := cgroup.At(o.prefix)
			if err == nil {
				err = group.Create()
			}
			if errors.Is(err, cgroup.ErrNone) || errors.Is(err, os.ErrPermission) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer group.Delete()
			if inside {
				writeForEver(t, o, group)
			}
			if err := o.abandon(); err != nil { // as the end of its process does
				t.Fatal(err)
			}
			if _, err := cleanOne(o.prefix); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{group.Dir(), o.work, o.path()} {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("left: %s, %v", path, err)
				}
			}
		})
	}
}

// writeForEver runs a program that writes into the work folder, in a namespace
// and the cgroup of the owner.
func writeForEver(t *testing.T, o *owner, group *cgroup.Group) {
	t.Helper()
	ns, err := netns.Create(o.prefix + "-client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Delete(); err != nil {
			t.Error(err)
		}
	})
	launcher := process.NewLauncher()
	t.Cleanup(launcher.Close)
	_, err = launcher.Start(t.Context(), process.Spec{
		Name: "writer", Path: "sh", Args: []string{"-c", "cd " + o.work + "; n=0; while :; do : > file-$n; n=$((n+1)); done"},
		Namespace: ns, Cgroup: group.Dir(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What could not be removed is still known as a leftover, and is removed once
// it can be.
func TestReleaseAgain(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may register a cluster")
	}
	o, err := newOwner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(o.work, "busy")
	if err := os.Mkdir(busy, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", busy, "tmpfs", 0, ""); err != nil {
		t.Skip("mounting something that is in the way:", errors.Join(err, o.release()))
	}
	if err := o.release(); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("released: %v", err)
	}
	if left, err := Leftovers(); err != nil || !slices.Contains(left, o.prefix) {
		t.Errorf("leftovers %v, %v, want %s", left, err, o.prefix)
	}
	if err := syscall.Unmount(busy, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := cleanOne(o.prefix); err != nil {
		t.Error(err)
	}
	for _, path := range []string{o.work, o.path()} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left: %s, %v", path, err)
		}
	}
}
