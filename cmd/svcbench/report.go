package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"svcbench/internal/results"
	"svcbench/reports"
)

func newReport(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Draw the report of a run again, or print it",
		Long: `Draws report.html and report.md of a run directory again, from its raw data
alone, and prints their paths. With -o it writes nothing and prints the report
in that format.

RUN is a run directory, the name of a run in the folder of runs, or "latest".`,
		Example: `  svcbench report latest
  svcbench report runs/20261127-051500-quick -o json
  svcbench report latest -o text --baseline nftables`,
		Args: oneRun,
	}
	output := addOutput(cmd, "files", "json", "markdown", "text")
	out := addOut(cmd)
	baseline := cmd.Flags().String("baseline", "", "mode that ratios are relative to, instead of the scenario's")
	completeFlag(cmd, "baseline", cobra.FixedCompletions(modeNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = completeRuns(out)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir, err := findRun(*out, args[0])
		if err != nil {
			return err
		}
		data, err := results.Open(dir)
		if err != nil {
			return err
		}
		options := reports.Options{Baseline: *baseline}
		if output.value == "files" {
			return writeReports(streams, data, options)
		}
		return printReport(streams, data, options, output.value)
	}
	return cmd
}

func oneRun(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("report takes one run, but got %d", len(args))
	}
	return nil
}

// printReport prints a report in one format.
func printReport(streams Streams, data *results.Data, options reports.Options, format string) error {
	summary, err := reports.Summarize(data, options)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return summary.WriteJSON(streams.Out)
	case "markdown":
		return summary.WriteMarkdown(streams.Out)
	default:
		return summary.WriteText(streams.Out)
	}
}

// writeReports writes the report files into the run directory and prints
// their paths.
func writeReports(streams Streams, data *results.Data, options reports.Options) error {
	paths, err := reports.Write(data.Dir, data, options)
	return errors.Join(err, printPaths(streams, paths))
}

func printPaths(streams Streams, paths []string) error {
	for _, path := range paths {
		if _, err := fmt.Fprintln(streams.Out, path); err != nil {
			return err
		}
	}
	return nil
}

// drawRun draws the report of a run that was just measured, and prints its
// text and where it is. The error may be that an objective of it is missed.
func drawRun(streams Streams, dir string) error {
	data, err := results.Open(dir)
	if err != nil {
		return err
	}
	summary, err := reports.Summarize(data, reports.Options{})
	if err != nil {
		return err
	}
	// First the files: there may be nobody any more to print to.
	paths, failed := summary.Write(data.Dir)
	err = summary.WriteText(streams.Out)
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Out)
	if err := printPaths(streams, paths); err != nil {
		return err
	}
	return summary.Met()
}

// latestRun stands for the newest run.
const latestRun = "latest"

// findRun returns the directory of a run: the newest one for "latest", a path,
// or the name of a run in the folder of runs.
func findRun(root, name string) (string, error) {
	if name == latestRun {
		return results.Latest(root)
	}
	if dir := filepath.Join(root, name); !exists(name) && filepath.Base(name) == name && exists(dir) {
		return dir, nil
	}
	return name, nil // if it is no run, results.Open has the message
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
