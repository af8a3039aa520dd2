package main

import (
	"github.com/spf13/cobra"

	"svcbench/internal/progress"
)

// showing are the flags that say how progress is shown.
type showing struct {
	style *choice
	quiet bool
}

// addProgress gives cmd the flags --progress and --quiet.
func addProgress(cmd *cobra.Command) *showing {
	s := &showing{style: addChoice(cmd, "progress", "", "how progress is shown", progress.Styles()...)}
	cmd.Flags().BoolVarP(&s.quiet, "quiet", "q", false, "print nothing but results and errors")
	return s
}

// display returns the display that the flags ask for; it must be closed.
func (s *showing) display(streams Streams) progress.Display {
	style := progress.Style(s.style.value)
	if s.quiet {
		style = progress.None
	}
	return progress.New(progress.Terminal{Writer: streams.Err, Redraws: streams.IsTTY, Width: streams.Width}, style)
}
