package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"svcbench/scenarios"
)

func newList(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [scenarios|modes|runs]",
		Short: "List what there is: scenarios, modes or runs",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newListScenarios(streams))
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error { return listScenarios(streams, output.value) }
	return cmd
}

func newListScenarios(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "List the built-in scenarios, the cheapest first",
		Args:  cobra.NoArgs,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error { return listScenarios(streams, output.value) }
	return cmd
}

func listScenarios(streams Streams, output string) error {
	all, err := scenarios.Builtins()
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(streams.Out, all)
	}
	w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSERVICES\tMODES\tBLOCKS\tTITLE")
	for i := range all {
		s := &all[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", s.Name, servicesOf(s), modesOf(s), s.Blocks, s.Title)
	}
	return w.Flush()
}

// servicesOf lists the numbers of Services of a scenario's points.
func servicesOf(s *scenarios.Scenario) string {
	var texts []string
	for _, p := range s.ResolvedPoints() {
		text := fmt.Sprint(p.Services)
		if len(texts) == 0 || texts[len(texts)-1] != text {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ",")
}

func modesOf(s *scenarios.Scenario) string {
	if len(s.Modes) == 0 {
		return "all that run here"
	}
	texts := make([]string, len(s.Modes))
	for i, m := range s.Modes {
		texts[i] = string(m)
	}
	return strings.Join(texts, ",")
}
