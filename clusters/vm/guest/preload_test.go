package guest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A file is in the layer in memory with every link that leads to it, and is
// what it was.
func TestCopyUp(t *testing.T) {
	dir := t.TempDir()
	in := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	for _, name := range []string{"lower/usr/bin", "memory", "root"} {
		if err := os.MkdirAll(in(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("lower/usr/bin/tool-1"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"lower/bin": "usr/bin", "lower/usr/bin/tool": "../bin/./tool-1", "lower/loop": "loop"} {
		if err := os.Symlink(target, in(link)); err != nil {
			t.Fatal(err)
		}
	}
	mount := func(kind, target, options string) {
		t.Helper()
		err := unix.Mount(kind, target, kind, 0, options)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
			t.Skipf("%s cannot be mounted here: %v", kind, err)
		}
		if err != nil {
			t.Fatalf("mount %s: %v", kind, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(target, 0); err != nil {
				t.Error(err)
			}
		})
	}
	mount("tmpfs", in("memory"), "")
	for _, name := range []string{"memory/upper", "memory/work"} {
		if err := os.Mkdir(in(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount("overlay", in("root"), "lowerdir="+in("lower")+",upperdir="+in("memory/upper")+",workdir="+in("memory/work"))
	if err := copyUp(in("root/bin/tool")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "usr/bin/tool", "usr/bin/tool-1"} {
		if _, err := os.Lstat(in("memory/upper", name)); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(in("root/bin/tool")); err != nil || string(b) != "#!/bin/sh\n" {
		t.Errorf("it is now %q, %v", b, err)
	}
	for _, name := range []string{"root/none", "root/loop"} {
		if err := copyUp(in(name)); err == nil {
			t.Errorf("no error for %s", name)
		}
	}
}
