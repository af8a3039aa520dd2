package local

import (
	"fmt"
	"os"

	"svcbench/clusters"
	"svcbench/internal/process"
)

// usageOf reads what the kernel counted for a process.
func usageOf(pid int) (u clusters.Usage, err error) {
	var files [2][]byte
	for i, name := range []string{"stat", "status"} {
		if files[i], err = os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name)); err != nil {
			return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
		}
	}
	if u.CPU, u.MaxRSS, err = process.Usage(files[0], files[1]); err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	return u, nil
}
