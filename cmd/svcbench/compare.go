package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/reports"
)

func newCompare(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare two runs of the same scenarios",
		Long: `Sets every number of the run NEW beside the same one of the run OLD: the ratio
with its 95% interval, a test, and a verdict. Runs whose machine, kernel or
programs differ, or whose scenarios measure other things, are refused, with the
differences; settings of the modes may differ, and are named.

A run is a run directory, the name of a run in the folder of runs, "latest", or a
file that "svcbench baseline" has written.`,
		Example: `  svcbench compare runs/20261127-051500-quick latest
  svcbench compare baseline.json latest --fail-on worse:5%
  svcbench compare before after -o json`,
		Args: cobra.ExactArgs(2),
	}
	output := addOutput(cmd, "text", "json")
	out := addOut(cmd)
	across := cmd.Flags().Bool("across-environments", false, "compare although more differs than what should be compared")
	var limits thresholds
	cmd.Flags().Var(&limits, "fail-on", "verdict and share from which on the exit code is 3, such as worse:5%")
	cmd.ValidArgsFunction = completeRuns(out)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var runs [2]*reports.Baseline
		for i, name := range args {
			var err error
			if runs[i], err = openBaseline(*out, name); err != nil {
				return err
			}
		}
		c, err := reports.Compare(runs[0], runs[1], *across)
		if err != nil {
			return err
		}
		if output.value == "json" {
			err = writeJSON(streams.Out, c)
		} else {
			err = c.WriteText(streams.Out)
		}
		if err != nil {
			return err
		}
		return limits.check(c)
	}
	return cmd
}

// thresholds are verdicts that make a comparison fail; a pflag.Value.
type thresholds []threshold

type threshold struct {
	verdict reports.Verdict
	share   float64
}

// String is part of pflag.Value.
func (t *thresholds) String() string {
	parts := make([]string, len(*t))
	for i, one := range *t {
		parts[i] = fmt.Sprintf("%s:%g%%", one.verdict, 100*one.share)
	}
	return strings.Join(parts, ",")
}

// Type is part of pflag.Value.
func (t *thresholds) Type() string { return "VERDICT:SHARE" }

// Set is part of pflag.Value.
func (t *thresholds) Set(text string) error {
	name, share, _ := strings.Cut(text, ":")
	verdict := reports.Verdict(name)
	percent, err := strconv.ParseFloat(strings.TrimSuffix(share, "%"), 64)
	if verdict != reports.Worse && verdict != reports.Better || !strings.HasSuffix(share, "%") || err != nil || !(percent >= 0 && percent < 1e6) {
		return fmt.Errorf("must be worse or better and a share, such as worse:5%%")
	}
	*t = append(*t, threshold{verdict, percent / 100})
	return nil
}

// check fails if a number is beyond a threshold.
func (t thresholds) check(c *reports.Comparison) error {
	for _, one := range t {
		beyond := c.Beyond(one.verdict, one.share)
		if len(beyond) == 0 {
			continue
		}
		first := beyond[0]
		text := fmt.Sprintf("%s with %s is %s by more than %g%%: %.3g× [%.3g, %.3g]", first.Metric, results.ModeName(first.Mode, first.Variant), one.verdict,
			100*one.share, float64(first.Ratio), float64(first.RatioLo), float64(first.RatioHi))
		if n := len(beyond) - 1; n > 0 {
			text += fmt.Sprintf(", and so are %d others", n)
		}
		return failure.New(failure.Regression, fmt.Errorf("%s", text), "")
	}
	// What nobody could judge has not passed.
	if first, n := c.Unjudged(); len(t) > 0 && n > 0 {
		return failure.New(failure.Invalid, fmt.Errorf("%s could not be judged: %s", counted(n, "number"), first), "more blocks carry verdicts (--blocks)")
	}
	return nil
}
