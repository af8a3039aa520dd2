package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"svcbench/internal/failure"
)

// knownCommand is the complaint about a sub-command that does not exist.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // typing mistakes
	text := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return errors.New(text)
}

// noArguments is the complaint about arguments of a command that takes none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no arguments, but got %q", cmd.Name(), args[0])
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
