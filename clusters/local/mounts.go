package local

import (
	"fmt"

	"svcbench/clusters/modes"
)

// mountAll makes mounts in the mount namespace of the calling thread.
func mountAll(mounts []modes.Mount) error {
	for _, m := range mounts {
		if err := m.Make(); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}
