package reports

import (
	"fmt"

	"svcbench/internal/results"
)

// checked counts the complete trials in which sampled Services were found
// correct before anything was measured.
func (a *analysis) checked() int {
	n := 0
	for _, t := range a.data.Trials {
		if t.Status == results.Complete && t.Correct != nil {
			n++
		}
	}
	return n
}

// checkedText says how many those are; empty if there are none, as in runs of
// earlier versions.
func (s *Summary) checkedText() string {
	if n := s.analysis.checked(); n > 0 {
		return fmt.Sprintf("checked before measuring in %d of %d complete trials", n, s.Trials.Complete)
	}
	return ""
}
