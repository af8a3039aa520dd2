package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"svcbench/clusters/kind"
	"svcbench/clusters/local"
)

func newClean(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed runs have left behind",
		Long: `Removes the processes, network namespaces, cgroups, kind clusters and work folders
of runs that were killed before they could do it themselves. Runs that are under way, results and
everything else on the machine stay as they are.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireRoot("removing namespaces"); err != nil {
				return err
			}
			removed := 0
			err := cleanAll(cmd.Context(), func(what string) {
				removed++
				fmt.Fprintln(streams.Out, "removed "+what)
			})
			if err == nil && removed == 0 {
				fmt.Fprintln(streams.Err, "nothing was left behind")
			}
			return err
		},
	}
}

// cleanAll removes what killed runs of every provider have left behind.
func cleanAll(ctx context.Context, report func(what string)) error {
	return errors.Join(
		local.Clean(ctx, report),
		kind.Clean(ctx, func(name string) { report("kind cluster " + name) }),
	)
}

// leftovers are the names under which killed runs have left something.
func leftovers() ([]string, error) {
	left, err := local.Leftovers()
	if err != nil {
		return nil, err
	}
	clusters, err := kind.Leftovers()
	return append(left, clusters...), err
}
