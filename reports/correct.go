package reports

import (
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/results"
)

// checks are the records of a run's trials about correctness.
type checks struct {
	trials int // all of them
	passed []*results.Trial
	failed []*results.Trial
}

func (s *Summary) checks() checks { return checksOf(s.analysis.data) }

func checksOf(data *results.Data) checks {
	c := checks{trials: len(data.Trials)}
	for _, t := range data.Trials {
		switch {
		case t.Correct == nil: // it did not come so far, or is of an early version
		case t.Correct.Problem != "" || t.Correct.Wrong > 0:
			c.failed = append(c.failed, t)
		default:
			c.passed = append(c.passed, t)
		}
	}
	return c
}

// checkedText says in how many trials correctness was checked, in short; empty
// if in none, as in runs of early versions.
func (s *Summary) checkedText() string {
	c := s.checks()
	n := len(c.passed) + len(c.failed)
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("checked in %d of %s", n, count(c.trials, "trial"))
	if len(c.failed) > 0 {
		text += fmt.Sprintf(", wrong in %d", len(c.failed))
	}
	return text
}

// incorrectText says which modes were wrong; empty if none was.
func (s *Summary) incorrectText() string {
	c := s.checks()
	if len(c.failed) == 0 {
		return ""
	}
	return fmt.Sprintf("Services did not do what they should in %s (%s).", count(len(c.failed), "trial"), strings.Join(labels(c.failed), ", "))
}

// incorrect lists the trials in which Services were wrong.
func (s *Summary) incorrect() []string {
	var texts []string
	for _, t := range s.checks().failed {
		what := t.Correct.Problem
		if what == "" {
			what = t.Error
		}
		texts = append(texts, fmt.Sprintf("%s at %s, block %d: %s", results.ModeName(t.Mode, t.Variant), pointName(t.Point), t.Block, what))
	}
	return texts
}

// correctText says what was checked before anything was measured; empty for
// runs of early versions, which did not.
func (s *Summary) correctText() string {
	c := s.checks()
	n := len(c.passed) + len(c.failed)
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("Correctness was checked before measuring in %d of %s", n, count(c.trials, "trial"))
	if len(c.passed) == 0 {
		return text + ": in none of them did Services do what they should."
	}
	if len(c.failed) > 0 {
		text += fmt.Sprintf("; in %d of them", len(c.passed))
	} else {
		text += ":"
	}
	parts := slices.DeleteFunc([]string{c.reached(), c.empty(), c.balanced()}, func(part string) bool { return part == "" })
	return text + " " + enumerated(parts) + "."
}

// reached says which endpoints the sampled Services led to.
func (c checks) reached() string {
	least, most := c.passed[0].Correct.Services, 0
	var partly []string // what was asked of less than all endpoints
	for _, t := range c.passed {
		least, most = min(least, t.Correct.Services), max(most, t.Correct.Services)
		if asked := t.Correct.Endpoints; asked > 0 && asked < t.Point.Endpoints {
			if text := fmt.Sprintf("%s: %d at least", results.ModeName(t.Mode, t.Variant), asked); !slices.Contains(partly, text) {
				partly = append(partly, text)
			}
		}
	}
	number := fmt.Sprint(most)
	if least != most {
		number = fmt.Sprintf("%d to %d", least, most)
	}
	text := "every one of " + number + " sampled Services reached all of its endpoints"
	if len(partly) > 0 {
		text += " (" + strings.Join(partly, ", ") + ")"
	}
	return text + " and no other"
}

// empty says what became of connections to Services without endpoints, and in
// which modes. Refusals are limited by the kernel, so that one tells more than
// many time-outs.
func (c checks) empty() string {
	var parts []string
	left := slices.Clone(c.passed)
	for _, kind := range []struct{ name, text string }{
		{errkind.Refused, "refused"}, {errkind.Unreachable, "were unreachable"}, {errkind.Denied, "were forbidden"}, {errkind.Timeout, "stayed silent"},
	} {
		var those []*results.Trial
		left = slices.DeleteFunc(left, func(t *results.Trial) bool {
			fits := t.Correct.Empty[kind.name] > 0
			if fits {
				those = append(those, t)
			}
			return fits
		})
		if len(those) > 0 {
			parts = append(parts, kind.text+" ("+strings.Join(labels(those), ", ")+")")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Services without endpoints " + strings.Join(parts, " or ")
}

// balanced says in which modes endpoints were met equally often.
func (c checks) balanced() string {
	tested := slices.DeleteFunc(slices.Clone(c.passed), func(t *results.Trial) bool { return t.Correct.Balance == nil })
	switch len(tested) {
	case 0:
		return ""
	case len(c.passed):
		return "endpoints were balanced"
	}
	return "endpoints were balanced where that was tested (" + strings.Join(labels(tested), ", ") + ")"
}

// labels names the modes of trials, in the order of reports.
func labels(trials []*results.Trial) []string {
	var names []string
	sorted := slices.SortedStableFunc(slices.Values(trials), func(a, b *results.Trial) int { return compareModes(a.Mode, b.Mode) })
	for _, t := range sorted {
		if name := results.ModeName(t.Mode, t.Variant); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
