package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/scenarios"
)

func newList(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [scenarios|modes|runs]",
		Short: "List what there is: scenarios, modes or runs",
		Args:  knownCommand,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error { return listScenarios(streams, output.value) }
	cmd.AddCommand(newListScenarios(streams), newListModes(streams), newListRuns(streams))
	return cmd
}

func newListScenarios(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "List the built-in scenarios, the cheapest first",
		Args:  noArguments,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error { return listScenarios(streams, output.value) }
	return cmd
}

func newListModes(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "modes",
		Short: "List the modes and whether they run on this machine",
		Long:  "Tries every mode in a network namespace of its own, and says why one does not run.",
		Args:  noArguments,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		modes, err := support(cmd.Context())
		if err != nil {
			return err
		}
		return listModes(streams, modes, output.value)
	}
	return cmd
}

// modeRow is one item of "svcbench list modes -o json".
type modeRow struct {
	Mode    scenarios.Mode  `json:"mode"`
	Runs    clusters.Answer `json:"runs"`
	Because string          `json:"because,omitempty"`
}

func listModes(streams Streams, modes []clusters.Support, output string) error {
	if output == "json" {
		rows := make([]modeRow, len(modes))
		for i, s := range modes {
			rows[i] = modeRow{Mode: s.Mode, Runs: s.Answer, Because: s.Because}
		}
		return writeJSON(streams.Out, rows)
	}
	w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODE\tRUNS\tBECAUSE")
	for _, s := range modes {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Mode, s.Answer, s.Because)
	}
	return w.Flush()
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
