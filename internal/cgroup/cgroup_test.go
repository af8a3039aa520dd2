package cgroup

import (
	"errors"
	"os"
	"strings"
	"testing"
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
	if all, err := List(name); err != nil || len(all) != 1 || all[0].Name() != name {
		t.Errorf("List: %v, %v", all, err)
	}
	if err := g.Create(); !errors.Is(err, os.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	for range 2 {
		if err := g.Delete(); err != nil {
			t.Error(err)
		}
	}
	if all, err := List(name); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}
