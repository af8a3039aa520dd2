package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"svcbench/clusters/local"
)

func newClean(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed runs have left behind",
		Long: `Removes the processes, network namespaces, cgroups and work folders of runs that were
killed before they could do it themselves. Runs that are under way, results and
everything else on the machine stay as they are.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireRoot("removing namespaces"); err != nil {
				return err
			}
			removed := 0
			err := local.Clean(cmd.Context(), func(what string) {
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
