package process

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/netns"
)

// lastWords is how long output is waited for after a command was killed.
const lastWords = time.Second

// Output runs a command to its end inside a namespace, with stdin as its
// standard input, and returns its standard output; the error holds its
// standard error. With ctx the command and its process group are killed; the
// error is then the cause of ctx.
func (l *Launcher) Output(ctx context.Context, ns *netns.Namespace, stdin []byte, path string, args ...string) ([]byte, error) {
	name := filepath.Base(path)
	found, err := LookPath(path)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, found, args...)
	cmd.Env = baseEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = lastWords
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errOut
	p := &Process{name: name, cmd: cmd}
	if err := l.do(func() error { return p.startIn(Spec{Namespace: ns}) }); err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	err = cmd.Wait()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return out.Bytes(), fmt.Errorf("run %s: %w", name, context.Cause(ctx))
	}
	return out.Bytes(), fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(errOut.Bytes()))
}
