package process

import (
	"golang.org/x/sys/unix"
)

// Freeze keeps a process from running or, with false, lets it go on.
func Freeze(pid int, on bool) error {
	signal := unix.SIGCONT
	if on {
		signal = unix.SIGSTOP
	}
	return unix.Kill(pid, signal)
}
