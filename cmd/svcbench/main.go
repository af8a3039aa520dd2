// Command svcbench compares ways of implementing Kubernetes Services on a
// local cluster and writes reports. "svcbench help" lists its commands.
package main

import (
	"context"
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
	go func() {
		cancel(interruptedBy(<-signals)) // commands save what they have and clean up
		<-signals
		os.Exit(int(failure.Interrupted))
	}()
	os.Exit(int(failure.CodeOf(Run(ctx, osStreams(), os.Args[1:]))))
}
