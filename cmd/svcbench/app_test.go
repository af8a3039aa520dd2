package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
)

// brokenWriter stands for a mistake in a command.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { panic("a mistake") }

func TestPanicIsAnInternalErrorWithItsStack(t *testing.T) {
	var told bytes.Buffer
	err := Run(t.Context(), Streams{In: strings.NewReader(""), Out: brokenWriter{}, Err: &told}, []string{"version"})
	if code := failure.CodeOf(err); code != failure.Internal {
		t.Errorf("exit code %d, want %d", code, failure.Internal)
	}
	for _, want := range []string{"svcbench: panic: a mistake\n", "newVersion", "next: this is a mistake in svcbench"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, told.String())
		}
	}
}

func TestInterruptedIsNoOtherFailure(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interruptedBy(syscall.SIGTERM))
	var told bytes.Buffer
	err := Run(ctx, Streams{In: strings.NewReader(""), Out: io.Discard, Err: &told}, []string{"doctor"})
	if code := failure.CodeOf(err); code != failure.Interrupted {
		t.Errorf("exit code %d (%v), want %d", code, err, failure.Interrupted)
	}
	if want := "svcbench: stopped by signal: terminated\n"; told.String() != want {
		t.Errorf("told %q, want %q", told.String(), want)
	}
	if !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("the error %v does not lead to the signal", err)
	}
}

func TestCommandLineCanBeRepeated(t *testing.T) {
	var got string
	root := newRoot(Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	run, _, err := root.Find([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
	run.RunE = func(cmd *cobra.Command, args []string) error {
		got = commandLine(cmd, args)
		return nil
	}
	root.SetArgs([]string{"run", "quick", "./it's mine.yaml", "--out", "elsewhere", "-q", "--modes=nftables,iptables", "--points", "5", "--points", "7", "--all"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `svcbench run quick './it'\''s mine.yaml' --all --modes nftables,iptables --points 5,7`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
