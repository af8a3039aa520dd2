package kernel

import (
	"fmt"
	"strings"

	"svcbench/internal/failure"
	"svcbench/internal/process"
)

// Available returns nil if one of Names is in the cache, or if the programs are
// there that get it from a package. Whether the package source answers is seen
// only then.
func Available(cache string) error {
	for _, name := range Names() {
		if _, found := newestKept(strings.TrimPrefix(name, debian), cache); found {
			return nil
		}
	}
	for _, program := range []string{"apt-cache", "apt-get", "dpkg", "depmod"} {
		if _, err := process.LookPath(program); err != nil {
			return failure.New(failure.Environment, fmt.Errorf("a kernel for virtual machines comes from a Debian package: %w", err),
				"`hack/setup.sh vm` installs what the VM needs (Debian, Ubuntu); elsewhere name a kernel with kernel=/path and modules=/path")
		}
	}
	return nil
}
