package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// claim says that what has a name belongs to a living process: a file with that
// name which the process keeps locked, so that whoever can lock it knows that the
// process is gone, however it ended.
type claim struct {
	file *os.File
	held
}

// held is what a claim remembers for whoever has to clean up.
type held struct {
	// Engine is the container engine, Env how it is reached.
	Engine string   `json:"engine"`
	Env    []string `json:"env,omitempty"`
	// Work is the folder with the files of the cluster.
	Work string `json:"work"`
	// Network is the network that was made for the cluster; empty for none.
	Network string `json:"network,omitempty"`
}

// registry is the folder of claims. It is the user's, as the clusters are: those
// of others are none of ours.
func registry() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder that remembers kind clusters: %w", err)
	}
	return filepath.Join(cache, "svcbench", "kind"), nil
}

// newClaim claims a name. The file gets it only once it is locked: one that is
// not is a leftover.
func newClaim(name string, e engine) (_ *claim, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("claim %s: %w", name, err)
		}
	}()
	dir, err := registry()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return nil, err
	}
	c := &claim{file: f, held: held{Engine: e.name, Env: e.reached(), Work: filepath.Join(os.TempDir(), name)}}
	err = c.write()
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return c, nil
}

// write writes down what is held.
func (c *claim) write() error {
	text, err := json.Marshal(c.held)
	if err != nil {
		return err
	}
	if err := c.file.Truncate(0); err != nil {
		return err
	}
	_, err = c.file.WriteAt(text, 0)
	return err
}

// path is where a claim is.
func claimPath(name string) (string, error) {
	dir, err := registry()
	return filepath.Join(dir, name), err
}

// release gives a name up, of which nothing may be left.
func (c *claim) release(name string) error {
	path, err := claimPath(name)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), c.file.Close())
}

// abandon leaves what is held to Clean, as the end of the process would.
func (c *claim) abandon() error { return c.file.Close() }

// adopt takes over the claim of a process that is gone; nil without an error if it
// lives, or if somebody else has cleaned up.
func adopt(name string) (*claim, error) {
	path, err := claimPath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return nil, err
	}
	// Whoever removed it meanwhile had locked it before.
	if now, err := os.Stat(path); err != nil || !sameFile(f, now) {
		return nil, f.Close()
	}
	c := &claim{file: f}
	if err := json.NewDecoder(f).Decode(&c.held); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
	}
	return c, nil
}

func sameFile(f *os.File, info os.FileInfo) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(own, info)
}

// Clean removes the clusters that killed runs of this user have left behind, and
// tells report of each. It needs their container engine only if there are any.
func Clean(ctx context.Context, report func(string)) error {
	left, err := Leftovers()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range left {
		c, err := adopt(name)
		if err != nil || c == nil {
			errs = append(errs, err)
			continue
		}
		if err := c.remove(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("remove kind cluster %s: %w", name, err), c.abandon())
			continue
		}
		errs = append(errs, c.release(name))
		report(name)
	}
	return errors.Join(errs...)
}

// Leftovers lists the names under which killed runs have left something.
func Leftovers() ([]string, error) {
	dir, err := registry()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for kind clusters that were left behind: %w", err)
	}
	var left []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		c, err := adopt(e.Name())
		if err != nil {
			return nil, err
		}
		if c != nil {
			left = append(left, e.Name())
			_ = c.abandon() // it stays a leftover
		}
	}
	return left, nil
}

// remove removes everything that is held under a name.
func (c *claim) remove(ctx context.Context, name string) error {
	e := engine{name: c.Engine, env: c.Env}
	if e.gone() {
		return os.RemoveAll(c.Work) // with the engine's daemon its containers went
	}
	if err := e.removeAll(ctx, "label="+clusterLabel+"="+name); err != nil {
		return err
	}
	if err := e.removeAll(ctx, "name=^"+name+trialSuffix+"$"); err != nil {
		return err
	}
	if err := e.removeNetwork(ctx, c.Network); err != nil {
		return err
	}
	return os.RemoveAll(c.Work)
}
