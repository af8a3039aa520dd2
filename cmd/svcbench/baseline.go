package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/reports"
)

func newBaseline(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline [RUN]",
		Short: "Print what later runs can be compared with",
		Long: `Prints a file with every number of a run by blocks, its scenarios and its machine:
all that "svcbench compare" needs of it, small enough to be committed.

A run is a run directory, the name of a run in the folder of runs, or "latest".`,
		Example: `  svcbench baseline latest > baseline.json
  svcbench compare baseline.json latest --fail-on worse:5%`,
		Args: cobra.MaximumNArgs(1),
	}
	out := addOut(cmd)
	cmd.ValidArgsFunction = completeRuns(out)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		name := latestRun
		if len(args) > 0 {
			name = args[0]
		}
		b, err := openBaseline(*out, name)
		if err != nil {
			return err
		}
		return b.Write(streams.Out)
	}
	return cmd
}

// openBaseline reads the numbers of a run, or those that a file keeps of one.
func openBaseline(root, name string) (*reports.Baseline, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, failure.New(failure.Environment, fmt.Errorf("read baseline: %w", err), "")
		}
		return reports.ReadBaseline(name, data)
	}
	dir, err := findRun(root, name)
	if err != nil {
		return nil, err
	}
	data, err := results.Open(dir)
	if err != nil {
		return nil, err
	}
	return reports.BaselineOf(data)
}
