package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/clusters/vm"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
)

// planned is what "svcbench plan -o json" prints.
type planned struct {
	// Seconds is the estimate for all trials together.
	Seconds float64                `json:"seconds"`
	Modes   []results.ModeStatus   `json:"modes"`
	Trials  []results.PlannedTrial `json:"trials"`
}

func newPlan(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan [SCENARIO...]",
		Short: "Print the trials of a run in their real order, with estimated times",
		Long: `Prints what "svcbench run" would do with the same arguments: every trial in its
real order, which the seed decides, and how long it will take. Nothing is
measured.`,
		Example: "  svcbench plan service-scale --points 10000 --blocks 2",
		Args:    cobra.ArbitraryArgs,
	}
	choose := addChoosing(cmd)
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		chosen, err := choose.load(cmd, args)
		if err != nil {
			return err
		}
		modes, err := supportOrAll(cmd.Context(), streams)
		if err != nil {
			return err
		}
		plan, err := runners.NewPlan(chosen, modes)
		if err != nil {
			return err
		}
		if output.value == "json" {
			return writeJSON(streams.Out, planned{Seconds: plan.Estimate().Seconds(), Modes: plan.Modes, Trials: plan.Results()})
		}
		return printPlan(streams, plan, modes)
	}
	return cmd
}

// supportOrAll asks which modes run here. Where that cannot be tried, for
// want of privileges, a plan is still useful: then all are taken to run.
func supportOrAll(ctx context.Context, streams Streams) ([]clusters.Support, error) {
	tried, err := support(ctx)
	if err == nil || failure.CodeOf(err) != failure.Environment {
		return tried, err
	}
	fmt.Fprintf(streams.Err, "! all modes are planned, whether they run here or not: %v\n", err)
	return anyMode(), nil
}

func printPlan(streams Streams, plan *runners.Plan, modes []clusters.Support) error {
	tellOmissions(streams, plan)
	tellVM(streams, plan, modes, vm.Available())
	w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ORDER\tSCENARIO\tBLOCK\tSERVICES\tENDPOINTS\tMODE\tESTIMATE")
	for _, t := range plan.Results() {
		endpoints := strings.TrimSpace(fmt.Sprint(t.Point.Endpoints, " ", t.Point.Extras()))
		fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Order, t.Scenario, t.Block, t.Point.Services, endpoints, results.ModeName(t.Mode, t.Variant),
			progress.Rough(time.Duration(t.Estimate*float64(time.Second))))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if pilot := plan.Pilot(); pilot != nil {
		fmt.Fprintf(streams.Out, "before them %s to choose the rate of connections, about %s\n", counted(len(pilot.Trials), "trial"), progress.Rough(pilot.Estimate()))
	}
	_, err := fmt.Fprintf(streams.Out, "%s, about %s\n", counted(len(plan.Trials), "trial"), progress.Rough(plan.Estimate()))
	return err
}

// tellVM says how modes that are left out can be measured on this machine, if
// they can. noVM is why there can be no virtual machine.
func tellVM(streams Streams, plan *runners.Plan, modes []clusters.Support, noVM error) {
	var names []string
	for _, s := range modes {
		leftOut := slices.ContainsFunc(plan.Modes, func(m results.ModeStatus) bool { return m.Mode == string(s.Mode) && !m.Included })
		if leftOut && s.Answer != clusters.NotInstalled {
			names = append(names, string(s.Mode))
		}
	}
	if len(names) > 0 && noVM == nil {
		fmt.Fprintf(streams.Err, "  a VM has a kernel for %s: `svcbench run` with `%s`\n", strings.Join(names, " and "), inVMFlag())
	}
}

// tellAdvice says what somebody who measures the modes of a plan should know.
func tellAdvice(streams Streams, plan *runners.Plan, modes []clusters.Support) {
	for _, m := range modes {
		if m.Advice != "" && slices.Contains(plan.Included(), m.Mode) {
			fmt.Fprintf(streams.Err, "! %s: %s\n", m.Mode, m.Advice)
		}
	}
}

// tellOmissions says which modes and scenarios are not in a plan, and why.
func tellOmissions(streams Streams, plan *runners.Plan) {
	for _, m := range plan.Modes {
		if !m.Included {
			fmt.Fprintf(streams.Err, "! %s is left out, because %s\n", m.Mode, m.Because)
		}
	}
	for _, s := range plan.Skipped {
		fmt.Fprintf(streams.Err, "! scenario %s is left out, because %s\n", s.Scenario, s.Because)
	}
}
