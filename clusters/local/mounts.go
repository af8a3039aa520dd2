package local

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"svcbench/clusters/modes"
)

// mountAll makes mounts in the mount namespace of the calling thread.
func mountAll(mounts []modes.Mount) error {
	for _, m := range mounts {
		if err := mountOne(m); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

func mountOne(m modes.Mount) error {
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
