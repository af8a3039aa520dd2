package components

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a lock that another process holds is tried again;
// flock has no other way to wait that a context could end.
const lockRetry = 250 * time.Millisecond

// lock takes an exclusive lock on a file, which it makes if need be and
// which stays. While another process holds it, waiting is called about once
// a second with who that is. The kernel releases the lock of a process that
// dies, and children do not inherit it.
func lock(ctx context.Context, path string, waiting func(holder string)) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, writeFailure(fmt.Errorf("open lock: %w", err), path)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	tick := time.NewTicker(lockRetry)
	defer tick.Stop()
	for try := 0; ; try++ {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if try%4 == 0 {
			waiting(holderOf(f))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s to build it: %w", holderOf(f), context.Cause(ctx))
		}
	}
	// The number is only for the message of those who wait.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	return func() { _ = f.Close() }, nil
}

func holderOf(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return "process " + pid
	}
	return "another process"
}
