package local

import (
	"fmt"
	"os"
	"path/filepath"

	"svcbench/clusters"
	"svcbench/internal/process"
)

// usageOf reads what the kernel counted for a process.
func usageOf(pid int) (clusters.Usage, error) {
	used, err := process.Usage(func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), name))
	})
	if err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	return clusters.UsageOf(used), nil
}
