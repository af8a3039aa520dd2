package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"svcbench/internal/cgroup"
	"svcbench/internal/netns"
)

// Clean removes what killed runs have left behind: processes, network
// namespaces, cgroups and work folders. What belongs to a living process stays.
// Each removed cluster is told to report.
func Clean(ctx context.Context, report func(string)) error {
	left, err := Leftovers()
	if err != nil {
		return err
	}
	var errs []error
	for _, prefix := range left {
		if err := context.Cause(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if removed, err := cleanOne(prefix); err != nil {
			errs = append(errs, fmt.Errorf("remove leftovers of %s: %w", prefix, err))
		} else if removed {
			report(prefix)
		}
	}
	err = errors.Join(errs...)
	if errors.Is(err, fs.ErrPermission) {
		return notFit(err, doctor)
	}
	return err
}

// Leftovers lists the prefixes under which a killed run has left something.
func Leftovers() ([]string, error) {
	// In this order, because a cluster has its file before its namespaces.
	namespaces, err := netns.List("svcbench-")
	if err != nil {
		return nil, err
	}
	registered, err := owners()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range registered {
		o, err := adopt(name)
		if err != nil {
			return nil, err
		}
		if o != nil {
			left = append(left, name)
			_ = o.file.Close() // it stays a leftover
		}
	}
	// Namespaces whose file was removed by somebody else.
	for _, name := range namespaces {
		if m := ownedName.FindStringSubmatch(name); m != nil && !slices.Contains(registered, m[1]) && !slices.Contains(left, m[1]) {
			left = append(left, m[1])
		}
	}
	return left, nil
}

// cleanOne removes one cluster unless it has an owner after all, and says
// whether there was anything to remove.
func cleanOne(prefix string) (bool, error) {
	o, err := adopt(prefix)
	if err != nil {
		return false, err
	}
	if o == nil {
		if _, err := os.Stat((&owner{prefix: prefix}).path()); err == nil {
			return false, nil // it lives
		}
	}
	n, err := removeNamespaces(prefix)
	err = errors.Join(err, removeCgroup(prefix))
	switch {
	case o == nil:
		return n > 0, err
	case err != nil:
		return false, errors.Join(err, o.abandon())
	}
	return true, o.discard()
}

// discard is release for an owner whose work folder may not be known.
func (o *owner) discard() error {
	if o.work == "" {
		return errors.Join(os.Remove(o.path()), o.file.Close())
	}
	return o.release()
}

// farewell is how long a killed process may take to be gone.
const farewell = 5 * time.Second

// removeCgroup removes the cgroup of a prefix, if there is one. Its processes,
// which are in the namespaces too, have been killed: they are gone soon.
func removeCgroup(prefix string) error {
	group, err := cgroup.At(prefix)
	if errors.Is(err, cgroup.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(farewell); ; time.Sleep(time.Millisecond) {
		if err := group.Delete(); !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// removeNamespaces kills every process in the namespaces of a prefix and
// removes them. It returns how many there were.
func removeNamespaces(prefix string) (int, error) {
	names, err := netns.List(prefix + "-")
	if err != nil {
		return 0, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !ownedName.MatchString(name) })
	var errs []error
	for _, name := range names {
		errs = append(errs, removeNamespace(name))
	}
	return len(names), errors.Join(errs...)
}

func removeNamespace(name string) error {
	ns, err := netns.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else has just removed it
	}
	if err != nil {
		return err
	}
	return errors.Join(killAll(ns), ns.Delete())
}

// killAll kills the processes in a namespace and returns when they are gone:
// while they live they may write into the work folder, and hold a cgroup.
func killAll(ns *netns.Namespace) error {
	for deadline := time.Now().Add(farewell); ; time.Sleep(time.Millisecond) {
		pids, err := ns.Processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			// One that has ended meanwhile (ESRCH) is as good as killed.
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d in %s: %w", pid, ns.Name(), err)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in %s have been killed and do not end", pids, ns.Name())
		}
	}
}
