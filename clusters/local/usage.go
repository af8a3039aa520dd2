package local

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"svcbench/clusters"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Kubernetes runs on.
const tick = 10 * time.Millisecond

// usageOf reads the CPU time of a process and of the children it waited for,
// and the peak of its memory, from /proc (proc(5)).
func usageOf(pid int) (clusters.Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	var u clusters.Usage
	if u.CPU, err = cpuTime(stat); err == nil {
		u.MaxRSS, err = peakMemory(status)
	}
	if err != nil {
		return clusters.Usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	return u, nil
}

// cpuTime sums utime, stime, cutime and cstime, the fields 14 to 17. Fields
// are counted from the last parenthesis: the name before it may hold blanks.
func cpuTime(stat []byte) (time.Duration, error) {
	const first = 14 - 3 // the fields 1 and 2 end with the parenthesis
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < first+4 {
		return 0, fmt.Errorf("stat has %d fields after the name", len(fields))
	}
	var sum int64
	for _, f := range fields[first : first+4] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}

// peakMemory returns VmHWM in bytes.
func peakMemory(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte("VmHWM:"))
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("peak memory: %w", err)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("peak memory: status has no VmHWM")
}
