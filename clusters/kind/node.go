package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"svcbench/clusters/modes"
	"svcbench/internal/agent"
)

// node is a node's container, reached through the container engine.
type node struct {
	engine engine
	name   string
}

var (
	_ modes.Node     = node{}
	_ agent.Launcher = node{}
)

// node returns a node of the cluster.
func (c *cluster) node(name string) node { return node{engine: c.engine, name: name} }

// Run runs a program in the node.
func (n node) Run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, n.engine.name, append([]string{"exec", "--privileged", "-i", n.name, program}, args...)...)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return out.Bytes(), fmt.Errorf("run %s in %s: %w", program, n.name, context.Cause(ctx))
	case isMissing(err, errOut.Bytes()):
		return nil, fmt.Errorf("run %s in %s: %w: %s", program, n.name, exec.ErrNotFound, firstLine(errOut.Bytes()))
	}
	return out.Bytes(), fmt.Errorf("run %s %s in %s: %w: %s", program, strings.Join(args, " "), n.name, err, bytes.TrimSpace(errOut.Bytes()))
}

// isMissing reports whether a container engine says that the container has no such
// program: in words, whatever its status, or by that which shells use.
func isMissing(err error, said []byte) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && (exit.ExitCode() == 127 || bytes.Contains(said, []byte("executable file not found")))
}

// Path is for proxies with files that svcbench reads; kube-proxy has none.
func (n node) Path(name string) string { return filepath.Join("/", name) }

// Launch starts "svcbench agent NAME" in the node. It ends when its standard
// input does, which ends with the client of the container engine.
func (n node) Launch(ctx context.Context, name string) (agent.Session, error) {
	cmd := exec.CommandContext(ctx, n.engine.name, "exec", "--privileged", "-i", n.name, agentPath, "agent", name)
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s := &nodeSession{what: "agent " + name + " in " + n.name, cmd: cmd, in: in, Reader: out}
	cmd.Stderr = &s.complaints
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.what, err)
	}
	return s, nil
}

// nodeSession is an agent in a node.
type nodeSession struct {
	what string
	cmd  *exec.Cmd
	in   io.WriteCloser
	io.Reader
	complaints bytes.Buffer

	once sync.Once
	err  error
}

// Write writes to its standard input.
func (s *nodeSession) Write(b []byte) (int, error) { return s.in.Write(b) }

// Close ends the agent, which ends with its input.
func (s *nodeSession) Close() error {
	s.once.Do(func() {
		closed := s.in.Close()
		ended := time.AfterFunc(farewell, func() { _ = s.cmd.Process.Kill() })
		defer ended.Stop()
		_, _ = io.Copy(io.Discard, s.Reader)
		if err := s.cmd.Wait(); err != nil && closed != nil {
			s.err = fmt.Errorf("%s ended by itself: %w: %s", s.what, err, bytes.TrimSpace(s.complaints.Bytes()))
		} else if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
			s.err = fmt.Errorf("%s: %w: %s", s.what, err, bytes.TrimSpace(s.complaints.Bytes()))
		}
	})
	return s.err
}

// farewell is how long an agent may take to end.
const farewell = 5 * time.Second
