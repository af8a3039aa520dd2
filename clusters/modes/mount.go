package modes

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Make makes the mount in the mount namespace of the calling thread, and the
// folder where there is none.
func (m Mount) Make() error {
	var flags uintptr
	if m.Type == "" {
		flags = unix.MS_BIND
	}
	if err := os.Mkdir(m.Target, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Mount(m.Source, m.Target, m.Type, flags, ""); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	// A bind mount becomes read-only only in a second step (mount(2)).
	return unix.Mount("", m.Target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}
