package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"svcbench/internal/failure"
)

// owner says what belongs to one cluster of one living process: everything
// under its prefix, and its work folder. It is a file that the process keeps
// locked, so that whoever can lock it knows that the process is gone, however
// it ended.
type owner struct {
	prefix string
	work   string
	file   *os.File
}

// registry is the folder of the owners' files. It is on a tmpfs: after a
// reboot there is nothing left to own.
const registry = "/run/svcbench"

// ownedName matches the namespaces of clusters; the group is their prefix.
var ownedName = regexp.MustCompile(`^(svcbench-[0-9a-f]{8})-(control|node|client|backend|trial)$`)

// record is what an owner's file holds.
type record struct {
	PID  int    `json:"pid"`
	Work string `json:"work"`
}

// newOwner claims a new prefix and makes a work folder inside temp.
func newOwner(temp string) (_ *owner, err error) {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	o := &owner{prefix: "svcbench-" + hex.EncodeToString(random[:])}
	// Whoever cleans up may do so from another working directory.
	if temp, err = filepath.Abs(temp); err != nil {
		return nil, fmt.Errorf("find the folder for temporary files: %w", err)
	}
	o.work = filepath.Join(temp, o.prefix)
	if err := o.register(); err != nil {
		return nil, notFit(fmt.Errorf("register a cluster in %s: %w", registry, err), "make "+registry+" a folder that can be written and has some space")
	}
	if err := os.Mkdir(o.work, 0o700); err != nil {
		err = failure.New(failure.Environment, fmt.Errorf("make work folder: %w", err), "choose a folder that can be written, and has some space, with TMPDIR")
		return nil, errors.Join(err, o.release())
	}
	return o, nil
}

// doctor is the next step where it is not known what the machine lacks.
const doctor = "`svcbench doctor` shows what this machine lacks"

// notFit classifies why this machine would not let itself be used: err is that
// of the kernel, otherwise the next step if it is not about permission.
func notFit(err error, otherwise string) error {
	if errors.Is(err, fs.ErrPermission) {
		otherwise = "run the same command with sudo"
		if os.Geteuid() == 0 {
			otherwise = "run it outside a container, or in a privileged one"
		}
	}
	return failure.New(failure.Environment, err, otherwise)
}

// register writes the owner's file. It gets its name only once it is locked:
// a file with an owner's name that is not locked is a leftover.
func (o *owner) register() error {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(registry, ".new-*")
	if err != nil {
		return err
	}
	o.file = f
	err = json.NewEncoder(f).Encode(record{PID: os.Getpid(), Work: o.work})
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		err = os.Rename(f.Name(), o.path())
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return nil
}

func (o *owner) path() string { return filepath.Join(registry, o.prefix) }

// release removes the work folder and gives up the prefix, under which nothing
// may be left. A folder that cannot be removed stays registered, as a leftover.
// Releasing twice changes nothing.
func (o *owner) release() error {
	if o.file == nil {
		return nil
	}
	if err := os.RemoveAll(o.work); err != nil {
		return errors.Join(fmt.Errorf("remove work folder of %s: %w", o.prefix, err), o.abandon())
	}
	err := errors.Join(os.Remove(o.path()), o.file.Close())
	o.file = nil
	if err != nil {
		return fmt.Errorf("unregister cluster %s: %w", o.prefix, err)
	}
	return nil
}

// abandon leaves what is under the prefix to Clean, as the end of the process
// would.
func (o *owner) abandon() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}

// adopt takes over the owner's file of a process that is gone. It returns nil
// without an error while the process lives, and after it has cleaned up.
func adopt(name string) (*owner, error) {
	o := &owner{prefix: name}
	f, err := os.Open(o.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, notFit(err, doctor)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && !o.names(f) {
		err = unix.EWOULDBLOCK // it was unlocked by being removed
	}
	if err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, fmt.Errorf("lock %s: %w", o.path(), err)
	}
	o.file = f
	var r record
	// Only a folder that bears the prefix is ours to remove.
	if err := json.NewDecoder(f).Decode(&r); err == nil && filepath.Base(r.Work) == name {
		o.work = r.Work
	}
	return o, nil
}

// names reports whether f is the owner's file, and not one that has been
// removed.
func (o *owner) names(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(o.path())
	return err == nil && os.SameFile(open, now)
}

// owners lists the prefixes that have a file, living or not.
func owners() ([]string, error) {
	entries, err := os.ReadDir(registry)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, notFit(fmt.Errorf("list clusters: %w", err), doctor)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "svcbench-") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
