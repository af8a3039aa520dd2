package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Kubernetes runs on.
const tick = 10 * time.Millisecond

// Used is what a process has used since it was started.
type Used struct {
	// User and System are its CPU time with that of the children it waited for.
	User, System time.Duration
	// Peak is that of its memory in bytes.
	Peak int64
	// Written is how many bytes it has handed to write(2) and its like: to files,
	// pipes and connections. What goes to the kernel by other calls, such as
	// sendmsg(2) and bpf(2), is not among them. It is 0 where the kernel does not
	// count it.
	Written int64
}

// Usage reads Used from three files of a process, which it gets from the function
// by their names in its folder in /proc (proc(5)).
func Usage(read func(name string) ([]byte, error)) (u Used, err error) {
	stat, err := read("stat")
	if err != nil {
		return u, err
	}
	for n, sum := range map[int]*time.Duration{14: &u.User, 15: &u.System, 16: &u.User, 17: &u.System} {
		v, err := field(stat, n)
		if err != nil {
			return u, fmt.Errorf("CPU time: %w", err)
		}
		*sum += time.Duration(v) * tick
	}
	status, err := read("status")
	if err != nil {
		return u, err
	}
	peak, err := entry(status, "VmHWM")
	if err != nil {
		return u, fmt.Errorf("peak memory: %w", err)
	}
	u.Peak = peak << 10 // it is in kB
	io, err := read("io")
	if errors.Is(err, fs.ErrNotExist) { // a kernel may not count it
		return u, nil
	}
	if err != nil {
		return u, err
	}
	if u.Written, err = entry(io, "wchar"); err != nil {
		return u, fmt.Errorf("bytes written: %w", err)
	}
	return u, nil
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

// entry returns a number from a file of lines such as "VmHWM:  12345 kB".
func entry(file []byte, name string) (int64, error) {
	for line := range bytes.Lines(file) {
		rest, ok := bytes.CutPrefix(line, []byte(name+":"))
		if fields := bytes.Fields(rest); ok && len(fields) > 0 {
			return strconv.ParseInt(string(fields[0]), 10, 64)
		}
	}
	return 0, fmt.Errorf("no entry %s", name)
}
