package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is a flag with a fixed set of values, the first of which is the
// default.
type choice struct {
	value   string
	allowed []string
}

// String is part of pflag.Value.
func (c *choice) String() string { return c.value }

// Type is part of pflag.Value.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set is part of pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("must be %s", strings.Join(c.allowed, " or "))
	}
	c.value = s
	return nil
}

// addChoice gives cmd a flag with the values allowed, which shells complete.
func addChoice(cmd *cobra.Command, name, shorthand, usage string, allowed ...string) *choice {
	c := &choice{value: allowed[0], allowed: allowed}
	cmd.Flags().VarP(c, name, shorthand, usage)
	completeFlag(cmd, name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// addOutput gives cmd the flag -o.
func addOutput(cmd *cobra.Command, allowed ...string) *choice {
	return addChoice(cmd, "output", "o", "format of the result", allowed...)
}

// completeFlag says how shells complete a flag.
func completeFlag(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	// It fails only for a flag that is not there or done twice.
	_ = cmd.RegisterFlagCompletionFunc(name, complete)
}

// writeJSON writes v for programs, indented for people.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
