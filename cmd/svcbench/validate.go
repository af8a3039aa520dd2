package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
	"svcbench/scenarios"
)

func newValidate(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check scenario files and report every mistake with its position",
		Long: `Checks scenario files, or built-in scenarios by name, and prints every
mistake as file:line:column with the line and, for a misspelt key, the nearest
right one. Exits with 2 if there is any.`,
		Example: "  svcbench validate mine.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("validate needs the name of a file")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return validate(streams, args)
		},
	}
}

// validate checks all files before it fails. Problems are the result of this
// command, so they go to Out.
func validate(streams Streams, files []string) error {
	mistakes, wrong := 0, 0
	var hint string
	var text strings.Builder
	for _, file := range files {
		s, err := scenarios.Load(file)
		if err == nil {
			fmt.Fprintf(&text, "%s: ok (%s, %s)\n", file, s.Name, counted(len(s.ResolvedPoints()), "point"))
			continue
		}
		wrong++
		problems, ok := errors.AsType[scenarios.Problems](err)
		mistakes += max(1, len(problems))
		if ok {
			fmt.Fprintln(&text, problems)
		} else {
			fmt.Fprintln(&text, err)
		}
		hint = failure.HintOf(err)
	}
	if _, err := io.WriteString(streams.Out, text.String()); err != nil || wrong == 0 {
		return err
	}
	return failure.New(failure.Usage, fmt.Errorf("%s in %s", counted(mistakes, "mistake"), counted(wrong, "file")), hint)
}

// counted is a number with its noun in singular or plural.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
