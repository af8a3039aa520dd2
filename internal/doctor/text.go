package doctor

import (
	"fmt"
	"io"
	"strings"
)

// mark is the sign in front of a result.
func (s Status) mark() string {
	switch s {
	case Ok:
		return "✓"
	case Failed:
		return "✗"
	default:
		return "!"
	}
}

// WriteText prints one line a result and, below what is not well, the fix.
func WriteText(w io.Writer, results []Result) error {
	width := 0
	for _, r := range results {
		width = max(width, len(r.Title))
	}
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "%s %-*s  %s\n", r.Status.mark(), width, r.Title, r.Detail)
		if r.Fix != "" && r.Status != Ok {
			fmt.Fprintf(&b, "  %-*s  fix: %s\n", width, "", r.Fix)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
