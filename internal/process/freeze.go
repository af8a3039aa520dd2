package process

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Freeze keeps a process from running or, with false, lets it go on, and returns
// when that is so.
func Freeze(pid int, on bool) error {
	signal := unix.SIGCONT
	if on {
		signal = unix.SIGSTOP
	}
	if err := unix.Kill(pid, signal); err != nil {
		return err
	}
	const pause, tries = time.Millisecond, 1000
	for range tries {
		stopped, err := isStopped(pid)
		if err != nil || stopped == on {
			return err
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("process %d has not obeyed %v in %v", pid, signal, tries*pause)
}

// isStopped reports whether a process has been stopped by a signal (proc(5)).
func isStopped(pid int) (bool, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > 0 && string(fields[0]) == "T", nil
}
