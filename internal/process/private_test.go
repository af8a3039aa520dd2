package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/process"
)

// What a private launcher has mounted is there for its processes alone.
func TestPrivateLauncher(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	l, err := process.NewPrivateLauncher(func() error {
		if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "inside"), nil, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if out, err := l.Output(t.Context(), nil, nil, "ls", dir); err != nil || strings.TrimSpace(string(out)) != "inside" {
		t.Errorf("a process of the launcher sees %q, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(l.Root(), dir, "inside")); err != nil {
		t.Errorf("through its root one sees: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("outside one sees %v, %v", entries, err)
	}
	if out, err := newLauncher(t).Output(t.Context(), nil, nil, "ls", dir); err != nil || len(out) != 0 {
		t.Errorf("a process of another launcher sees %q, %v", out, err)
	}
}

// A launcher that could not mount is an error and leaves no thread.
func TestPrivateLauncherFails(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	var thread string
	_, err := process.NewPrivateLauncher(func() error {
		thread = "/proc/self/task/" + strconv.Itoa(unix.Gettid())
		return unix.EPERM
	})
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v", err)
	}
	for t.Context().Err() == nil { // go test ends a test that waits for ever
		if _, err := os.Stat(thread); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A process begins in the cgroup it is given, not moved there later.
func TestCgroup(t *testing.T) {
	root := unifiedHierarchy(t)
	folder := filepath.Join(root, "svcbench-test-cgroup")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(folder); err != nil {
			t.Error(err)
		}
	})
	p := shell(t, newLauncher(t), "exec sleep 1000", process.Spec{Cgroup: folder})
	in, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/cgroup")
	if err != nil || !strings.Contains(string(in), "0::/svcbench-test-cgroup\n") {
		t.Errorf("the process is in %q, %v", in, err)
	}
	p.Stop(0)
}

// unifiedHierarchy is where a cgroup v2 that can be written is mounted.
func unifiedHierarchy(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC && unix.Access(dir, unix.W_OK) == nil {
			return dir
		}
	}
	t.Skip("no cgroup v2 that can be written is mounted")
	return ""
}
