package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// startIn starts the command on the calling thread, where the Spec wants it.
// It must run on the launcher's thread and leaves that where it was.
func (p *Process) startIn(spec Spec) error {
	if spec.Cgroup != "" {
		folder, err := os.Open(spec.Cgroup)
		if err != nil {
			return fmt.Errorf("open cgroup: %w", err)
		}
		defer folder.Close()
		p.cmd.SysProcAttr.UseCgroupFD, p.cmd.SysProcAttr.CgroupFD = true, int(folder.Fd())
	}
	if spec.Namespace == nil {
		p.started = monotonic()
		return p.cmd.Start()
	}
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("current network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(spec.Namespace.FD(), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %q: %w", spec.Namespace.Name(), err)
	}
	p.started = monotonic()
	err = p.cmd.Start()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("return to own network namespace: %w", back))
	}
	return err
}
