// Command svcbench compares ways of implementing Kubernetes Services on a
// local cluster and writes reports. "svcbench help" lists its commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"svcbench/internal/failure"
)

func main() {
	// client-go logs to standard error what its callers are told as well.
	klog.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup wants it
		signal.Notify(signals, syscall.SIGHUP)
	}
	// To write to a pipe that nobody reads any more is an error and does not
	// kill the program: Ctrl-C also ends the tee behind a run that has yet to
	// clean up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go stop(signals, cancel)
	os.Exit(int(failure.CodeOf(Run(ctx, osStreams(), os.Args[1:]))))
}

// stop ends the command at the first signal, so that it saves what it has and
// cleans up, and the program at the second. A terminal that goes away may send
// more than one SIGHUP, so that one does not count as the second.
func stop(signals <-chan os.Signal, cancel context.CancelCauseFunc) {
	cancel(interruptedBy(<-signals))
	for s := range signals {
		if s != syscall.SIGHUP {
			fmt.Fprintln(os.Stderr, "\nsvcbench: ended at once\nnext: `svcbench clean` removes what may be left")
			os.Exit(int(failure.Interrupted))
		}
	}
}
