package cgroup

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFind(t *testing.T) {
	const hybrid = `24 30 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
26 24 0:24 /svcbench /run/bind\040mount rw - cgroup2 cgroup2 rw
27 24 0:24 / /sys/fs/cgroup/uni\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw
`
	if got, err := find(strings.NewReader(hybrid)); err != nil || got != "/sys/fs/cgroup/uni fied" {
		t.Errorf("found %q, %v", got, err)
	}
	if _, err := find(strings.NewReader("25 24 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw\n")); !errors.Is(err, ErrNone) {
		t.Errorf("without one: %v", err)
	}
}

func TestCreate(t *testing.T) {
	const name = "svcbench-test-create"
	g, err := At(name)
	if err == nil {
		err = g.Create()
	}
	if errors.Is(err, ErrNone) || errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(g.Dir() + "/cgroup.procs"); err != nil {
		t.Error("no cgroup:", err)
	}
	if err := g.Allowed(); err != nil {
		t.Errorf("made, but not allowed: %v", err)
	}
	if err := g.Create(); !errors.Is(err, os.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	for range 2 {
		if err := g.Delete(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(g.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// Where the hierarchy cannot be written, as in many containers, it says so
// without making anything.
func TestNotAllowed(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_RDONLY, ""); err != nil {
		t.Skip("mounting a folder that cannot be written:", err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	g := &Group{dir: dir + "/group"}
	if err := g.Allowed(); !errors.Is(err, unix.EROFS) {
		t.Errorf("got %v", err)
	}
}
