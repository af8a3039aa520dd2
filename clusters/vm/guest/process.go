package guest

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"svcbench/clusters/vm/wire"
)

// interrupted is what a shell reports of a process that SIGINT has ended.
const interrupted = 128 + int(unix.SIGINT)

// execute runs the job's process to its end and returns its exit code.
func (g *guest) execute() (int, error) {
	if g.stopped.Load() {
		return interrupted, nil
	}
	var streams sync.WaitGroup
	nobody, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", g.job.Program, err)
	}
	defer nobody.Close()
	files := []*os.File{nobody}
	for _, stream := range []int{wire.Stdout, wire.Stderr} {
		ours, its, err := os.Pipe()
		if err != nil {
			return 0, fmt.Errorf("run %s: %w", g.job.Program, err)
		}
		files = append(files, its)
		streams.Go(func() { g.forward(stream, ours) })
	}
	// Not os/exec: it would wait for its child, and so must the reaper.
	child, err := os.StartProcess(g.job.Program, append([]string{g.job.Program}, g.job.Args...), &os.ProcAttr{
		Dir: g.job.Dir, Env: g.job.Env, Files: files,
	})
	for _, f := range files[1:] {
		_ = f.Close() // the child has its own
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", g.job.Program, err)
	}
	g.child.Store(int64(child.Pid))
	if err := g.send(wire.Message{Kind: wire.Started}); err != nil {
		return 0, err
	}
	if g.stopped.Load() { // the host asked before it could be told
		_ = unix.Kill(child.Pid, unix.SIGINT)
	}
	code, err := reap(child.Pid)
	g.child.Store(0)
	if err != nil {
		return 0, fmt.Errorf("wait for %s: %w", g.job.Program, err)
	}
	streams.Wait()
	return code, nil
}

// reap collects every process that ends until the one called pid has, and
// returns its exit code: orphans are the first process's to collect.
func reap(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case ended == pid && status.Exited():
			return status.ExitStatus(), nil
		}
	}
}

// forward sends what the process writes to a stream.
func (g *guest) forward(stream int, from *os.File) {
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if g.host.Send(wire.Message{Kind: wire.Output, Stream: stream, Data: buffer[:n]}) != nil {
				_, _ = io.Copy(io.Discard, from) // the process must not block
				return
			}
		}
		if err != nil {
			return
		}
	}
}
