package process

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Kubernetes runs on.
const tick = 10 * time.Millisecond

// Usage returns the CPU time of a process with that of the children it waited
// for, and the peak of its memory in bytes, from the files stat and status of
// its folder in /proc (proc(5)).
func Usage(stat, status []byte) (cpu time.Duration, peak int64, err error) {
	for n := 14; n <= 17; n++ { // utime, stime, cutime and cstime
		v, err := field(stat, n)
		if err != nil {
			return 0, 0, fmt.Errorf("CPU time: %w", err)
		}
		cpu += time.Duration(v) * tick
	}
	peak, err = peakMemory(status)
	return cpu, peak, err
}

// StartOf returns when a process was started, in ns of CLOCK_MONOTONIC and to
// 10 ms, from the file stat of its folder in /proc.
func StartOf(stat []byte) (int64, error) {
	ticks, err := field(stat, 22) // since the machine booted
	if err != nil {
		return 0, fmt.Errorf("start of the process: %w", err)
	}
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return 0, fmt.Errorf("start of the process: %w", err)
	}
	// The clocks differ by how long the machine was suspended.
	return ticks*int64(tick) - (boot.Nano() - monotonic()), nil
}

// field returns a number of /proc/PID/stat, counted from 1 as in proc(5).
// Fields are found from the last parenthesis: the name before it may hold blanks.
func field(stat []byte, n int) (int64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	at := n - 3 // the fields 1 and 2 end with the parenthesis
	if at < 0 || at >= len(fields) {
		return 0, fmt.Errorf("stat has %d fields after the name", len(fields))
	}
	return strconv.ParseInt(string(fields[at]), 10, 64)
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
