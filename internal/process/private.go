package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// NewPrivateLauncher returns a launcher with a mount namespace of its own, in
// which mount has been called: what it mounts is seen by the launcher's
// processes and by nobody else, and is gone when the last of them is.
func NewPrivateLauncher(mount func() error) (*Launcher, error) {
	l := NewLauncher()
	err := l.do(func() error {
		// Go's threads share their working directory and root, which one
		// with mounts of its own cannot; unshare ends that too.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		return mount()
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Root is the root folder as the launcher's processes see it, with what it has
// mounted, and whether or not one of them runs. It is valid until Close.
func (l *Launcher) Root() string {
	return filepath.Join("/proc", strconv.Itoa(os.Getpid()), "task", strconv.Itoa(l.thread), "root")
}
