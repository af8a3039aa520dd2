package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"svcbench/internal/doctor"
)

// diagnosis is what "svcbench doctor -o json" prints.
type diagnosis struct {
	Fit    bool            `json:"fit"`
	Checks []doctor.Result `json:"checks"`
}

func newDoctor(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether this machine is fit to measure on",
		Long: `Tries everything a run needs and prints, for what is missing, the command that
repairs it: ✓ is well, ! makes results less complete or less certain, ✗ must be
repaired. Exits with 5 if there is any ✗.`,
		Args: noArguments,
	}
	output := addOutput(cmd, "text", "json")
	out := addOut(cmd)
	p := &programs{}
	addUse(cmd, p, "components")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		checks, err := doctorChecks(cmd.Context(), p, *out)
		if err != nil {
			return err
		}
		results := doctor.Examine(cmd.Context(), checks)
		if err := context.Cause(cmd.Context()); err != nil {
			return err
		}
		verdict := doctor.Verdict(results)
		if output.value == "json" {
			if err := writeJSON(streams.Out, diagnosis{Fit: verdict == nil, Checks: results}); err != nil {
				return err
			}
			return verdict
		}
		if err := doctor.WriteText(streams.Out, results); err != nil {
			return err
		}
		return verdict
	}
	return cmd
}

// beforeRun makes the fast checks. The error says that nothing can be measured
// here; otherwise what is less than well is told.
func beforeRun(ctx context.Context, streams Streams, outDir string) error {
	machine := doctor.This()
	machine.OutDir = outDir
	results := doctor.Examine(ctx, doctor.Fast(machine.Checks()))
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := doctor.Verdict(results); err != nil {
		return err
	}
	for _, r := range results {
		if r.Status != doctor.Ok {
			fmt.Fprintf(streams.Err, "! %s: %s\n", r.Title, r.Detail)
		}
	}
	return nil
}
