package main

import (
	"github.com/spf13/cobra"
)

// defaultOut is where runs are written unless --out says otherwise.
const defaultOut = "runs"

// addOut gives cmd the flag --out.
func addOut(cmd *cobra.Command) *string {
	out := cmd.Flags().String("out", defaultOut, "folder of run directories")
	completeFlag(cmd, "out", completeFolder)
	return out
}

// completeFolder lets shells complete the names of folders only.
func completeFolder(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
