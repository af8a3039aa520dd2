package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	// Whatever broke because the user stopped the program is no failure.
	if cause := context.Cause(ctx); cause != nil && failure.CodeOf(cause) == failure.Interrupted {
		err = failure.New(failure.Interrupted, err, failure.HintOf(err))
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

// printError prints an error once. An error that has been told in full by
// the command itself has no text.
func printError(streams Streams, err error) {
	if text := err.Error(); text != "" {
		fmt.Fprintln(streams.Err, "svcbench: "+text)
	}
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
		// Two typing mistakes away is still near enough to suggest.
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	addGroup(root, "Measure:", newRun(streams), newPlan(streams), newReport(streams), newList(streams))
	addGroup(root, "Scenario files:", newValidate(streams), newSchema(streams))
	addGroup(root, "This machine:", newDoctor(streams), newComponents(streams), newClean(streams))
	root.AddCommand(newVersion(streams), newAgent(streams))
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
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

// knownCommand is the complaint about a command that does not exist.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return errors.New(text)
}

// classifyUsage makes every complaint about flags and arguments a usage
// error that names the help to read.
func classifyUsage(cmd *cobra.Command) {
	usage := func(cmd *cobra.Command, err error) error {
		return failure.New(failure.Usage, err, fmt.Sprintf("`%s --help` explains it", cmd.CommandPath()))
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, flagError(err)) })
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		classifyUsage(sub)
	}
}

// flagError says in words what is wrong with a number.
func flagError(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	number, ok := errors.AsType[*strconv.NumError](err)
	if !ok {
		return err
	}
	problem := "is not a whole number"
	switch {
	case errors.Is(number, strconv.ErrRange):
		problem = "is out of range"
	case strings.HasPrefix(invalid.GetFlag().Value.Type(), "uint"):
		problem = "is not a whole number above 0"
	}
	return fmt.Errorf("--%s: %q %s", invalid.GetFlag().Name, number.Num, problem)
}
