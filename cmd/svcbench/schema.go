package main

import (
	"github.com/spf13/cobra"

	"svcbench/scenarios"
)

func newSchema(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files",
		Long: `Prints the JSON Schema (draft 7) of scenario files. Editors with YAML support
check and complete a scenario whose first line is
# yaml-language-server: $schema=FILE`,
		Example: "  svcbench schema > schema.json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			data, err := scenarios.Schema()
			if err != nil {
				return err
			}
			_, err = streams.Out.Write(data)
			return err
		},
	}
}
