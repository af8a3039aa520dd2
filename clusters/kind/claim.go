package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
)

// claim says that a cluster belongs to a living process: a file with the name of
// the cluster that the process keeps locked, so that whoever can lock it knows
// that the process is gone, however it ended.
type claim struct{ file *os.File }

// registry is the folder of claims. It is the user's, as the clusters are: those
// of others are none of ours.
func registry() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder that remembers kind clusters: %w", err)
	}
	return filepath.Join(cache, "svcbench", "kind"), nil
}

// newClaim claims a name.
func newClaim(name string) (*claim, error) {
	dir, err := registry()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("claim cluster %s: %w", name, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim cluster %s: %w", name, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("claim cluster %s: %w", name, err), f.Close())
	}
	return &claim{f}, nil
}

// release gives the name up, of which nothing may be left.
func (c *claim) release() error {
	return errors.Join(os.Remove(c.file.Name()), c.file.Close())
}

// adopt takes over the claim of a process that is gone; nil if it lives.
func adopt(file string) (*claim, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	return &claim{f}, nil
}

// Clean removes the clusters that killed runs of this user have left behind, and
// tells report of each. It needs the container engine only if there are any.
func Clean(ctx context.Context, report func(string)) error {
	dir, err := registry()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for kind clusters that were left behind: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		left, err := adopt(filepath.Join(dir, e.Name()))
		if err != nil || left == nil {
			errs = append(errs, err)
			continue
		}
		if err := remove(ctx, e.Name()); err != nil {
			errs = append(errs, fmt.Errorf("remove kind cluster %s: %w", e.Name(), err), left.file.Close())
			continue
		}
		errs = append(errs, left.release())
		report(e.Name())
	}
	return errors.Join(errs...)
}

// remove removes everything with the name of a cluster.
func remove(ctx context.Context, name string) error {
	e, err := findEngine(ctx)
	if err != nil {
		return err
	}
	nowhere := filepath.Join(os.TempDir(), name+".kubeconfig") // kind edits the user's if none is named
	err = kindcluster.NewProvider(e.option).Delete(name, nowhere)
	trial, listed := e.run(ctx, "ps", "--all", "--quiet", "--filter", "name=^"+name+trialSuffix+"$")
	if ids := strings.Fields(string(trial)); len(ids) > 0 {
		_, removed := e.run(ctx, append([]string{"rm", "--force", "--volumes"}, ids...)...)
		err = errors.Join(err, removed)
	}
	return errors.Join(err, listed, os.RemoveAll(workOf(name)))
}
