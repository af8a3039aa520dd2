package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/failure"
	"svcbench/internal/process"
)

// pkg is a package of a kernel image.
type pkg struct{ name, version string }

// String is the name and the version.
func (p pkg) String() string { return p.name + " " + p.version }

// folder is its name in the cache, like that of its archive.
func (p pkg) folder() string { return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") }

// release is what the kernel calls itself.
func (p pkg) release() string { return strings.TrimPrefix(p.name, imagePrefix) }

const imagePrefix = "linux-image-"

// imageName matches the packages with the kernel of one build for ordinary
// machines: not those for clouds, which lack 9p, nor real-time ones, debug
// symbols, unsigned copies and packages that only depend on others. The group
// is the series.
var imageName = regexp.MustCompile(`^linux-image-([0-9]+\.[0-9]+)\.[0-9]+(?:-[0-9]+|\+deb[0-9]+|\+bpo)?-amd64$`)

func isImage(name, series string) bool {
	m := imageName.FindStringSubmatch(name)
	return m != nil && m[1] == series
}

// newest asks apt for the newest kernel of a series.
func newest(ctx context.Context, series string) (pkg, error) {
	listed, err := run(ctx, "", "apt-cache", "search", "--names-only", "^"+imagePrefix+regexp.QuoteMeta(series)+"[.]")
	if err != nil {
		return pkg{}, err
	}
	name := newestOf(listed, series)
	if name == "" {
		return pkg{}, fmt.Errorf("apt knows no package %s%s.*-amd64", imagePrefix, series)
	}
	shown, err := run(ctx, "", "apt-cache", "show", "--no-all-versions", name)
	if err != nil {
		return pkg{}, err
	}
	for line := range strings.Lines(shown) {
		if version, ok := strings.CutPrefix(line, "Version: "); ok {
			return pkg{name: name, version: strings.TrimSpace(version)}, nil
		}
	}
	return pkg{}, fmt.Errorf("apt does not say the version of %s", name)
}

// newestOf picks the newest kernel of a series from what apt-cache lists, one
// package a line with a description; empty if there is none.
func newestOf(listed, series string) (newest string) {
	for line := range strings.Lines(listed) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if isImage(name, series) && (newest == "" || slices.Compare(numbers(name), numbers(newest)) > 0) {
			newest = name
		}
	}
	return newest
}

// numbers are the numbers in a name, which order its versions.
func numbers(name string) []int {
	var all []int
	for _, digits := range regexp.MustCompile(`[0-9]+`).FindAllString(name, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			continue // longer than any version
		}
		all = append(all, n)
	}
	return all
}

// run runs a program of the distribution and returns what it printed.
func run(ctx context.Context, dir, program string, args ...string) (string, error) {
	path, err := process.LookPath(program)
	if err != nil {
		return "", failure.New(failure.Environment, err, "`make setup-vm` installs what the VM needs (Debian, Ubuntu); elsewhere name a kernel with kernel=/path and modules=/path")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C") // messages in one language
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			said = lastLine(ended.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w%s", program, args[0], err, said)
	}
	return string(out), nil
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// lock takes a lock that the kernel gives up for a process that dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	retry := time.NewTicker(250 * time.Millisecond) // flock cannot wait for a context
	defer retry.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for %s: %w", path, context.Cause(ctx)), f.Close())
		}
	}
}
