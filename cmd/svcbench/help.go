package main

import (
	"slices"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
)

// newHelp is like cobra's help command, which however shows something else
// when asked about a command that does not exist.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, err := descend(cmd.Root(), args)
			if err != nil {
				return failure.New(failure.Usage, err, "`svcbench --help` lists the commands")
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
		ValidArgsFunction: completeCommands,
	}
}

// showHelp is what a command does that only holds others.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// descend returns the command that names lead to.
func descend(cmd *cobra.Command, names []string) (*cobra.Command, error) {
	for _, name := range names {
		next := slices.IndexFunc(cmd.Commands(), func(sub *cobra.Command) bool { return sub.Name() == name })
		if next < 0 {
			return nil, knownCommand(cmd, []string{name})
		}
		cmd = cmd.Commands()[next]
	}
	return cmd, nil
}

// completeCommands completes the names of commands to explain.
func completeCommands(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if about, err := descend(cmd.Root(), args); err == nil {
		for _, sub := range about.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
