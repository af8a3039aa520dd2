package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/clusters/vm"
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
		Short: "List the modes and where they run: on this machine, in a VM on it, or not",
		Long: `Tries every mode in a network namespace of its own, and says why one does not
run. With the kernel of a distribution in a virtual machine all modes run; the
programs that they need are those of this machine, there too.`,
		Args: noArguments,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		modes, err := support(cmd.Context())
		if err != nil {
			return err
		}
		return listModes(streams, modes, vm.Available(), output.value)
	}
	return cmd
}

// modeRow is one item of "svcbench list modes -o json".
type modeRow struct {
	Mode scenarios.Mode `json:"mode"`
	// Runs is about this machine itself, VM about a virtual machine on it.
	Runs    clusters.Answer `json:"runs"`
	VM      bool            `json:"vm"`
	Because string          `json:"because,omitempty"`
}

// inVMCommand is how a mode is measured that runs in a virtual machine alone.
func inVMCommand() string { return "svcbench run " + inVMFlag() }

func inVMFlag() string { return "--vm kernel=" + vm.Kernels()[0] }

// modeRows says of every mode where it runs. noVM is why there can be no
// virtual machine, nil where there can.
func modeRows(modes []clusters.Support, noVM error) []modeRow {
	rows := make([]modeRow, len(modes))
	for i, s := range modes {
		rows[i] = modeRow{Mode: s.Mode, Runs: s.Answer, VM: noVM == nil && s.Answer != clusters.NotInstalled, Because: s.Because}
		switch {
		case s.Answer == clusters.Yes, s.Answer == clusters.NotInstalled: // a VM has the programs of this machine
		case noVM == nil:
			rows[i].Because = strings.TrimSuffix(s.Because, ".") + "; `" + inVMCommand() + "` measures it"
		default:
			rows[i].Because = fmt.Sprintf("%s; nor in a VM: %v", strings.TrimSuffix(s.Because, "."), noVM)
		}
	}
	return rows
}

// where puts in words where a mode runs.
func (r modeRow) where() string {
	switch {
	case r.Runs == clusters.Yes:
		return "here"
	case r.VM:
		return "in a VM here"
	}
	return string(r.Runs)
}

func listModes(streams Streams, modes []clusters.Support, noVM error, output string) error {
	rows := modeRows(modes, noVM)
	if output == "json" {
		return writeJSON(streams.Out, rows)
	}
	w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODE\tRUNS\tBECAUSE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Mode, r.where(), r.Because)
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
