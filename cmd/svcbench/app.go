package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
)

// Run is the program: it runs the command that args name, prints the error
// there may be to streams.Err, with its next step, and returns it. Its exit
// code is failure.CodeOf.
func Run(ctx context.Context, streams Streams, args []string) error {
	err := execute(ctx, streams, args)
	if err == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case cause != nil && failure.CodeOf(cause) == failure.Interrupted:
		// Whatever broke because the user stopped the program is no failure.
		err = failure.New(failure.Interrupted, err, failure.HintOf(err))
	case failure.CodeOf(err) == failure.Internal && errors.Is(err, syscall.ENOSPC):
		err = failure.New(failure.Environment, err, "free some space there (`df -h`)")
	}
	// Who has closed the pipe has seen enough.
	if failure.CodeOf(err) != failure.Internal || !errors.Is(err, syscall.EPIPE) {
		printError(streams, err)
	}
	return err
}

// execute runs one command. A panic has run the deferred clean-up of the
// command by the time it is turned into an error here.
func execute(ctx context.Context, streams Streams, args []string) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = failure.New(failure.Internal, fmt.Errorf("panic: %v\n%s", broken, debug.Stack()),
				"this is a mistake in svcbench: please report it with the text above")
		}
	}()
	root := newRoot(streams)
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// printError prints an error once, and its next step.
func printError(streams Streams, err error) {
	fmt.Fprintf(streams.Err, "svcbench: %v\n", err)
	if hint := failure.HintOf(err); hint != "" {
		fmt.Fprintln(streams.Err, "next: "+hint)
	}
}

// interruptedBy is the cause of a context that a signal has cancelled.
func interruptedBy(s os.Signal) error {
	return failure.New(failure.Interrupted, fmt.Errorf("stopped by signal: %s", s), "")
}

// newRoot builds the tree of commands.
func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "svcbench",
		Short: "Compare ways of implementing Kubernetes Services",
		Long: `svcbench measures what each way of implementing Kubernetes Services costs:
kube-proxy in iptables, IPVS and nftables mode. It brings up a real API server
and a real proxy on this machine, sends traffic, changes endpoints, and writes
an HTML report.

Results go to standard output, talk to standard error. Exit codes: 0 ok,
1 internal error, 2 usage or invalid scenario, 3 threshold or regression,
4 measurement invalid, 5 this machine is not fit, 130 interrupted.`,
		Example: `  svcbench doctor             # is this machine fit?
  svcbench run                # the quick scenario, some minutes
  svcbench list scenarios     # what else there is`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       thisVersion().String(),
		Args:          knownCommand,
		RunE:          showHelp,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	addGroup(root, "Measure:", newRun(streams), newPlan(streams), newReport(streams), newCompare(streams), newBaseline(streams), newList(streams))
	addGroup(root, "Scenario files:", newValidate(streams), newSchema(streams))
	addGroup(root, "This machine:", newDoctor(streams), newComponents(streams), newClean(streams))
	root.AddCommand(newVersion(streams), newAgent(streams), newAgentPod(), newOCIRuntime(), newVMInit())
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		// By itself it would take any shell's name.
		completion.Args, completion.RunE = knownCommand, showHelp
	}
	classifyUsage(root)
	return root
}

// addGroup adds commands under a heading of the help.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}
