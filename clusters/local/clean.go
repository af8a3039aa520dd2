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
// namespaces and work folders. What belongs to a living process stays. Each
// removed cluster is told to report.
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
	if o != nil {
		return true, errors.Join(err, o.discard())
	}
	return n > 0, err
}

// discard is release for an owner whose work folder may not be known.
func (o *owner) discard() error {
	if o.work == "" {
		return errors.Join(os.Remove(o.path()), o.file.Close())
	}
	return o.release()
}

// removeCgroup removes the cgroup of a prefix, if there is one. Its processes,
// which are in the namespaces too, have been killed: they are gone soon.
func removeCgroup(prefix string) error {
	const patience = 5 * time.Second
	groups, err := cgroup.List(prefix)
	if err != nil {
		return err
	}
	for _, g := range groups {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			if err = g.Delete(); !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	pids, err := ns.Processes()
	if err != nil {
		return errors.Join(err, ns.Delete())
	}
	for _, pid := range pids {
		// One that has ended meanwhile (ESRCH) is as good as killed.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return errors.Join(fmt.Errorf("kill process %d in %s: %w", pid, name, err), ns.Delete())
		}
	}
	return ns.Delete()
}
