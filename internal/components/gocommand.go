package components

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"svcbench/internal/failure"
)

// goCommand runs the Go toolchain.
type goCommand struct{ path string }

// goCommand finds the go command in PATH or, because sudo shortens PATH, in
// the folder where Go's own packages put it.
func (s *Store) goCommand() (*goCommand, error) {
	if s.goPath != "" {
		return &goCommand{s.goPath}, nil
	}
	for _, name := range []string{"go", "/usr/local/go/bin/go"} {
		if path, err := exec.LookPath(name); err == nil {
			return &goCommand{path}, nil
		}
	}
	return nil, failure.New(failure.Environment, errors.New("the go command is neither in PATH nor in /usr/local/go/bin"),
		"install Go 1.26 or newer from https://go.dev/dl, or use programs already on this machine: svcbench components --help")
}

// buildEnv is the part of the environment that decides what is built.
// Settings about where modules come from (GOPROXY, GOPRIVATE, ...) are the
// user's.
func buildEnv() []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH,
		"GO111MODULE=on", "GOFLAGS=-mod=readonly", "GOWORK=off"}
}

// buildFlags are the flags of go build that decide what is built.
func buildFlags(m module) []string {
	flags := []string{"-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(m.ldflags, " ")}
	if len(m.tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(m.tags, ","))
	}
	return flags
}

// version returns the version of Go that builds a module in dir, which
// decides itself which toolchain it needs.
func (g *goCommand) version(ctx context.Context, dir string) (string, error) {
	var stdout bytes.Buffer
	stderr := &output{}
	if err := g.run(ctx, dir, &stdout, stderr, "env", "GOVERSION"); err != nil {
		return "", goFailure(ctx, "ask for Go's version", dir, err, stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// run runs the go command in dir. The end of ctx kills it with everything it
// started, and so does the end of svcbench, even by kill -9. Temporary files
// go to dir/tmp where that exists, to be removed with dir.
func (g *goCommand) run(ctx context.Context, dir string, stdout io.Writer, stderr io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), buildEnv()...)
	cmd.Env = append(cmd.Env, "PWD="+dir)
	if os.Getenv("HOME") == "" {
		home, err := homeDir()
		if err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, "HOME="+home) // or Go has no caches
	}
	if tmp := filepath.Join(dir, "tmp"); isDir(tmp) {
		cmd.Env = append(cmd.Env, "GOTMPDIR="+tmp)
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// Pdeathsig is about the thread that starts the child: keep it alive.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// tailLines is how much of Go's output an error shows.
const tailLines = 12

// output takes the output of a command line by line and keeps its end.
type output struct {
	// progress is given every line and says whether it was one of progress,
	// which is not kept; may be nil.
	progress func(line string) bool
	partial  []byte
	tail     []string
}

// Write is part of io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.partial = append(o.partial, b...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		o.add(string(line))
		o.partial = append(o.partial[:0], rest...)
	}
}

func (o *output) add(line string) {
	if strings.TrimSpace(line) == "" || o.progress != nil && o.progress(line) {
		return
	}
	o.tail = append(o.tail, line)
	o.tail = o.tail[max(0, len(o.tail)-tailLines):]
}

// String returns the end of the output, indented, without progress.
func (o *output) String() string {
	if len(o.partial) > 0 {
		o.add(string(o.partial))
		o.partial = nil
	}
	if len(o.tail) == 0 {
		return ""
	}
	return "  " + strings.Join(o.tail, "\n  ")
}

// goFailure turns the failure of a go command into one a user can act on.
func goFailure(ctx context.Context, doing, dir string, err error, out *output) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	tail := out.String()
	if tail == "" {
		err = fmt.Errorf("%s: %w", doing, err)
	} else {
		err = fmt.Errorf("%s: %w; the end of Go's output:\n%s", doing, err, tail)
	}
	return failure.New(failure.Environment, err, nextStep(tail, err.Error(), filepath.Dir(dir)))
}

// nextStep finds out from what Go printed what a user can do. The phrases
// are those of the kernel, of package net and of cmd/go.
func nextStep(tail, message, store string) string {
	has := func(phrases ...string) bool {
		for _, phrase := range phrases {
			if strings.Contains(tail, phrase) || strings.Contains(message, phrase) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no space left on device", "disk quota exceeded"):
		return "free 8 GB: in " + store + ", and in Go's caches, which `go env GOCACHE GOMODCACHE` shows and `go clean -cache -modcache` empties"
	case has("requires go >=", "toolchain not available"):
		return "install Go 1.26 or newer from https://go.dev/dl, or let Go fetch it: GOTOOLCHAIN=auto"
	case has("checksum mismatch", "SECURITY ERROR"):
		return "a module is not what its checksum promises: `go clean -modcache`, then try again; a GOPROXY that rewrites modules cannot be used"
	case has("403 Forbidden", "404 Not Found", "410 Gone", "401 Unauthorized"):
		return "the module proxy refuses a module: try another one, see `go env GOPROXY GONOSUMDB`"
	case has("module lookup disabled by GOPROXY=off", "dial tcp", "no such host", "i/o timeout", "TLS handshake", "proxyconnect", "network is unreachable", "connection re"):
		return "the module proxy cannot be reached: check the network, HTTPS_PROXY and `go env GOPROXY`; what was fetched so far is kept"
	case has("permission denied", "read-only file system"):
		return "make the folder writable, or choose other ones with XDG_CACHE_HOME, GOCACHE and GOMODCACHE"
	case has("signal: killed", "cannot allocate memory", "out of memory"):
		return "the machine ran out of memory: linking needs about 3 GB; close other programs and try again"
	}
	return "try again, or use programs already on this machine: svcbench components --help"
}

// writeFailure classifies the failure to write into the store.
func writeFailure(err error, path string) error {
	return failure.New(failure.Environment, fmt.Errorf("write to the folder of components: %w", err),
		nextStep("", err.Error(), filepath.Dir(path)))
}
