// Package cgroup makes folders of the machine's cgroup v2 hierarchy: sets of
// processes that BPF programs can be attached to.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNone means that no cgroup v2 is mounted.
var ErrNone = errors.New("no cgroup v2 is mounted (mount -t cgroup2 none FOLDER)")

// Group is one folder.
type Group struct{ dir string }

// At returns the cgroup of that name directly under the root of the hierarchy,
// whether it exists or not.
func At(name string) (*Group, error) {
	root, err := root()
	if err != nil {
		return nil, err
	}
	return &Group{filepath.Join(root, name)}, nil
}

// Allowed returns nil if this process may make the folder, which it does not.
func (g *Group) Allowed() error {
	parent := filepath.Dir(g.dir)
	if err := unix.Access(parent, unix.W_OK); err != nil {
		return fmt.Errorf("make cgroups: %w", &fs.PathError{Op: "access", Path: parent, Err: err})
	}
	return nil
}

// Create makes the folder. It is an error if it exists.
func (g *Group) Create() error {
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return nil
}

// Dir is the folder's path; empty for no group.
func (g *Group) Dir() string {
	if g == nil {
		return ""
	}
	return g.dir
}

// Delete removes the cgroup, in which no process may be left. One that is not
// there is no error.
func (g *Group) Delete() error {
	if err := os.Remove(g.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// root is where the hierarchy is mounted.
func root() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("look for a cgroup v2: %w", err)
	}
	defer f.Close()
	return find(f)
}

// find returns the mount point of the whole cgroup v2 hierarchy in the text of
// mountinfo (proc(5)).
func find(mountinfo io.Reader) (string, error) {
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		mount, fsType, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		const root, point = 3, 4
		if ok && strings.HasPrefix(fsType, "cgroup2 ") && len(fields) > point && fields[root] == "/" {
			return unescape(fields[point]), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("look for a cgroup v2: %w", err)
	}
	return "", ErrNone
}

// unescape undoes what mountinfo does to blanks in paths.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}
