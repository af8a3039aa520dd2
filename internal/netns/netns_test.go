package netns_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"svcbench/internal/netns"
)

// prefix is that of all names in one test.
func prefix(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	return fmt.Sprintf("svcbench-test-%d-", os.Getpid())
}

func create(t *testing.T, name string) *netns.Namespace {
	t.Helper()
	n, err := netns.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Delete(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// inode tells namespaces apart.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func list(t *testing.T, prefix string) []string {
	t.Helper()
	names, err := netns.List(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestLife(t *testing.T) {
	p := prefix(t)
	a, b := create(t, p+"a"), create(t, p+"b")
	if got, want := list(t, p), []string{p + "a", p + "b"}; !slices.Equal(got, want) {
		t.Errorf("List = %v, want %v", got, want)
	}
	if _, err := netns.Create(p + "a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of a name that is taken = %v", err)
	}
	again, err := netns.Open(p + "a")
	if err != nil {
		t.Fatal(err)
	}
	err = again.Do(func() error {
		if got, want := inode(t, "/proc/thread-self/ns/net"), inode(t, filepath.Join(netns.Folder, a.Name())); got != want {
			return fmt.Errorf("ran in namespace %d, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// One handle deletes the name, the other finds it gone.
	for _, n := range []*netns.Namespace{a, again, again, b} {
		if err := n.Delete(); err != nil {
			t.Error(err)
		}
	}
	if got := list(t, p); len(got) != 0 {
		t.Errorf("List after Delete = %v", got)
	}
	if _, err := netns.Open(p + "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open after Delete = %v", err)
	}
}

// A program that was killed may leave a name with nothing behind it.
func TestEmptyNameIsDeleted(t *testing.T) {
	name := prefix(t) + "empty"
	create(t, prefix(t)+"other") // makes the folder
	if err := os.WriteFile(filepath.Join(netns.Folder, name), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	n, err := netns.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Delete(); err != nil {
		t.Error(err)
	}
	if got := list(t, name); len(got) != 0 {
		t.Errorf("List after Delete = %v", got)
	}
}

// Whatever runs inside, no thread of the program is left there.
func TestThreadsReturn(t *testing.T) {
	n := create(t, prefix(t)+"threads")
	inside, failed := inode(t, filepath.Join(netns.Folder, n.Name())), errors.New("failed")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := n.Do(func() error { return failed }); !errors.Is(err, failed) {
				t.Errorf("Do = %v", err)
			}
		})
	}
	all.Wait()
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		var st unix.Stat_t
		if unix.Stat(thread, &st) == nil && st.Ino == inside { // else it has ended
			t.Errorf("%s is left in the namespace", thread)
		}
	}
}

func TestLoopbackAndDial(t *testing.T) {
	n := create(t, prefix(t)+"dial")
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen("tcp4", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.DialContext(t.Context(), "tcp4", l.Addr().String())
	if err != nil {
		t.Fatalf("dial inside: %v", err)
	}
	c.Close()
	if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener is reachable from outside")
	}
}

func TestSysctl(t *testing.T) {
	n := create(t, prefix(t)+"sysctl")
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	outside, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Sysctl("net.ipv4.ip_local_port_range", "2000 3000"); err != nil {
		t.Fatal(err)
	}
	var inside []byte
	err = n.Do(func() (err error) {
		inside, err = os.ReadFile(file)
		return err
	})
	if err != nil || string(inside) != "2000\t3000\n" {
		t.Errorf("setting inside is %q, %v", inside, err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(outside) {
		t.Errorf("the machine's own setting became %q, %v", now, err)
	}
	if err := n.Sysctl("net.ipv4.no_such", "1"); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Sysctl of nothing = %v", err)
	}
}

func TestProcesses(t *testing.T) {
	n := create(t, prefix(t)+"processes")
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := n.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	got, err := n.Processes()
	if err != nil || !slices.Equal(got, []int{cmd.Process.Pid}) {
		t.Errorf("Processes = %v, %v; want %d", got, err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	if got, err := n.Processes(); err != nil || len(got) != 0 {
		t.Errorf("Processes after its end = %v, %v", got, err)
	}
}
