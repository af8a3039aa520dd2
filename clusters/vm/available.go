package vm

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"svcbench/clusters/vm/kernel"
	"svcbench/internal/failure"
	"svcbench/internal/process"
)

// Kernels returns the names of kernels that a machine can have without files of
// the user's. All modes run on each of them.
func Kernels() []string { return kernel.Names() }

// Available returns nil if a machine with one of Kernels can be made here, as
// far as can be told without making one. Its errors have a hint.
func Available() error {
	if runtime.GOARCH != "amd64" {
		return failure.New(failure.Environment, fmt.Errorf("virtual machines are of architecture amd64, and this one is %s", runtime.GOARCH), "use a machine of that architecture")
	}
	if _, err := process.LookPath(emulator); errors.Is(err, exec.ErrNotFound) {
		return failure.New(failure.Environment, fmt.Errorf("%s is not installed", emulator), "`hack/setup.sh vm` installs what the VM needs")
	} else if err != nil {
		return err
	}
	cache, err := DefaultCache()
	if err != nil {
		return err
	}
	return kernel.Available(cache)
}
