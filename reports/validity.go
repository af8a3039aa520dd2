package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/results"
)

// title names the modes that were compared.
func (s *Summary) title() string {
	var modes []string
	for _, sc := range s.analysis.scenarios {
		for _, m := range sc.modes {
			if name := sc.label(m); !slices.Contains(modes, name) {
				modes = append(modes, name)
			}
		}
	}
	switch len(modes) {
	case 0:
		return "Kubernetes Service modes: a run without a complete trial"
	case 1:
		return "Kubernetes Service mode " + modes[0] + ", measured"
	}
	return "Kubernetes Service modes compared: " + enumerated(modes)
}

// alert is what a reader must know before anything else.
func (s *Summary) alert() string {
	var parts []string
	if s.Run.Interrupted != "" {
		parts = append(parts, "The run ended early: "+s.Run.Interrupted+".")
	} else if s.Run.Finished.IsZero() {
		parts = append(parts, "The run has not finished.")
	}
	if text := s.incorrectText(); text != "" {
		parts = append(parts, text)
	}
	if text := s.untrustedText(); text != "" {
		parts = append(parts, text)
	}
	if text := s.missedText(); text != "" {
		parts = append(parts, text)
	}
	if s.Trials.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%s of %d failed.", count(s.Trials.Failed, "trial"), s.Trials.Complete+s.Trials.Failed))
	}
	for _, m := range s.Run.Modes {
		if !m.Included {
			parts = append(parts, fmt.Sprintf("%s was left out: %s.", m.Mode, strings.TrimSuffix(m.Because, ".")))
		}
	}
	return strings.Join(parts, " ")
}

// untrustedText says that trials cannot be trusted, and why the first of each mode.
func (s *Summary) untrustedText() string {
	n := 0
	var why []string
	for _, t := range s.analysis.data.Trials {
		if text := t.Untrusted(); text != "" && t.Status == results.Complete {
			n++
			why = append(why, fmt.Sprintf("%s, block %d: %s", results.ModeName(t.Mode, t.Variant), t.Block, text))
		}
	}
	if n == 0 {
		return ""
	}
	const shown = 3
	text := fmt.Sprintf("%s cannot be trusted, and with them no comparison of their modes at these points. %s", count(n, "trial"), strings.Join(why[:min(n, shown)], ". "))
	if n > shown {
		text += fmt.Sprintf(". And %d more", n-shown)
	}
	return text + "."
}

// facts are the line under the title.
func (s *Summary) facts() []pair {
	facts := []pair{{"run", s.Run.ID}, {"provider", s.Run.Provider}}
	if !s.Run.Started.IsZero() {
		facts = append(facts, pair{"started", s.Run.Started.UTC().Format("2006-01-02 15:04 UTC")})
	}
	if vm := s.Environment.machineName(); vm != "" {
		facts = append(facts, pair{"VM", vm})
	}
	if s.Environment.Clock == results.InstructionClock {
		facts = append(facts, pair{"times", "instruction clock"})
	}
	facts = append(facts,
		pair{"kernel", s.Environment.Kernel},
		pair{"CPUs", fmt.Sprint(s.Environment.CPUs)},
		pair{"trials", fmt.Sprintf("%d complete", s.Trials.Complete)})
	if checked := s.checkedText(); checked != "" {
		facts = append(facts, pair{"correctness", checked})
	}
	return facts
}

func (s *Summary) trialsText() string {
	text := fmt.Sprintf("%s planned, %d complete", count(s.Trials.Planned, "trial"), s.Trials.Complete)
	if s.Trials.Planned == 0 {
		text = count(s.Trials.Complete, "trial") + " complete"
	}
	text += fmt.Sprintf(", %d failed", s.Trials.Failed)
	if s.Trials.NotRun > 0 {
		text += fmt.Sprintf(", %d not run", s.Trials.NotRun)
	}
	return text + ". Only complete trials are in the numbers."
}

func (s *Summary) notRunText() string {
	const most = 20
	missing := notRun(s.analysis.data)
	var ids []string
	for i, t := range missing {
		if i == most {
			ids = append(ids, fmt.Sprintf("and %d more", len(missing)-most))
			break
		}
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, ", ")
}

// leftOut are the modes that are not part of the run, with the reason.
func (s *Summary) leftOut() []string {
	var texts []string
	for _, m := range s.Run.Modes {
		if !m.Included {
			texts = append(texts, m.Mode+": "+m.Because)
		}
	}
	return texts
}

// optional is a table, or nil without rows.
func optional(t table) *table {
	if len(t.Rows) == 0 {
		return nil
	}
	return &t
}

func (s *Summary) failedTable() *table {
	t := table{Head: []string{"trial", "scenario", "point", "mode", "block", "because"}}
	for _, f := range s.Failed {
		t.Rows = append(t.Rows, []string{f.ID, f.Scenario, pointName(f.Point), f.label(), fmt.Sprint(f.Block), f.Error})
	}
	return optional(t)
}

// troubled returns a row for each distribution or scalar with time-outs or
// errors.
func (s *Summary) troubled() []Row {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool {
		isMedian := strings.HasSuffix(r.Metric, ".p50")
		return (!isMedian && r.Samples != int64(r.N)) || r.Censored+r.Errors == 0
	})
}

// censoredText names the largest share of time-outs and errors.
func (s *Summary) censoredText() string {
	rows := s.troubled()
	if len(rows) == 0 {
		return ""
	}
	share := func(r Row) float64 { return float64(r.Censored+r.Errors) / float64(r.Samples+r.Errors) }
	worst := slices.MaxFunc(rows, func(a, b Row) int { return cmp.Compare(share(a), share(b)) })
	return fmt.Sprintf("The largest share, time-outs and errors together, is %s%%: %s with %s at %s.",
		significant(100*share(worst)), strings.TrimSuffix(worst.Metric, ".p50"), worst.label(), pointName(worst.Point))
}

// censoredTable lists time-outs and errors.
func (s *Summary) censoredTable() *table {
	t := table{Head: []string{"what", "scenario", "point", "mode", "timed out", "failed", "of"}}
	for _, r := range s.troubled() {
		t.Rows = append(t.Rows, []string{
			strings.TrimSuffix(r.Metric, ".p50"), r.Scenario, pointName(r.Point), r.label(), thousands(r.Censored), thousands(r.Errors), thousands(r.Samples + r.Errors),
		})
	}
	return optional(t)
}
