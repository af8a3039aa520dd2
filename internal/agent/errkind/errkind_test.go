package errkind_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"svcbench/internal/agent/errkind"
)

func TestOf(t *testing.T) {
	wrapped := func(errno syscall.Errno) error {
		return &url.Error{Op: "Get", URL: "http://10.0.0.1", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{syscall.ECONNREFUSED, errkind.Refused},
		{wrapped(syscall.ECONNREFUSED), errkind.Refused},
		{wrapped(syscall.ECONNRESET), errkind.Reset},
		{wrapped(syscall.ETIMEDOUT), errkind.Timeout},
		{wrapped(syscall.EHOSTUNREACH), errkind.Unreachable},
		{wrapped(syscall.EPERM), errkind.Denied},
		{wrapped(syscall.EADDRNOTAVAIL), errkind.NoPort},
		{wrapped(syscall.EMFILE), errkind.NoSocket},
		{wrapped(syscall.EBADF), errkind.Other},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), errkind.Timeout},
		{fmt.Errorf("get: %w", context.DeadlineExceeded), errkind.Timeout},
		{fmt.Errorf("get: %w", context.Canceled), errkind.Cancelled},
		{fmt.Errorf("get: %w", io.ErrUnexpectedEOF), errkind.Closed},
		{errors.New("who knows"), errkind.Other},
	} {
		if got := errkind.Of(test.err); got != test.want {
			t.Errorf("Of(%v) = %q, want %q", test.err, got, test.want)
		}
	}
}
