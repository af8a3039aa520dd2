package reports

import (
	"errors"
	"fmt"
	"strings"

	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// Missed is an objective that a mode misses at a point.
type Missed struct {
	Where
	Objective string `json:"objective"`
	// Found is the number that is not below the limit, with its unit, or why it shows
	// nothing; empty if there is no such number.
	Found string `json:"found,omitempty"`
}

// missed returns the objectives of a scenario that are not met.
func (s *scenario) missed(rows []Row) ([]Missed, error) {
	parsed, err := scenarios.Parse(s.Name+".yaml", []byte(s.YAML))
	if err != nil || len(parsed.SLO) == 0 {
		return nil, nil //nolint:nilerr // a run of another version may have a scenario that is none to this one
	}
	var all []Missed
	for _, o := range parsed.SLO {
		limit, err := o.Limit()
		if err != nil {
			return nil, err
		}
		for _, p := range s.points {
			for _, mode := range s.modes {
				r := findRow(rows, s.Name, p, mode, o.Metric())
				if r == nil {
					all = append(all, Missed{Where: s.where(p, mode), Objective: string(o)})
				} else if found := r.misses(limit); found != "" {
					all = append(all, Missed{Where: s.where(p, mode), Objective: string(o), Found: found})
				}
			}
		}
	}
	return all, nil
}

// misses says what is wrong with a row that should be below a limit; "" if it is. What
// rests on failures, on lower bounds or on a trial that cannot be trusted shows nothing.
func (r Row) misses(limit float64) string {
	bounded := r.AtLeast
	for _, b := range r.bounds {
		bounded = bounded || b
	}
	worst := r.worst()
	switch {
	case !worst.Known():
		return "all attempts timed out"
	case bounded:
		return "more than " + format(r.Estimate, r.Unit) + ", as far as can be said: some timed out"
	case r.untrusted != "":
		return "a trial cannot be trusted: " + r.untrusted
	case float64(r.Errors) > TolerableErrors*float64(r.Errors+r.Samples):
		return fmt.Sprintf("%s of %s failed", thousands(r.Errors), thousands(r.Errors+r.Samples))
	case float64(worst) >= limit:
		return format(worst, r.Unit)
	}
	return ""
}

// worst is the upper end of the interval of a row, or its estimate.
func (r Row) worst() Number {
	if r.Hi.Known() {
		return r.Hi
	}
	return r.Estimate
}

// text says what was missed.
func (m Missed) text() string {
	found := "there is no such number"
	if m.Found != "" {
		found = m.Found
	}
	return fmt.Sprintf("%s with %s at %s: %s", m.Objective, m.label(), pointName(m.Point), found)
}

// missedText says which objectives were missed; "" if none were.
func (s *Summary) missedText() string {
	if len(s.Missed) == 0 {
		return ""
	}
	const shown = 5
	var texts []string
	for _, m := range s.Missed[:min(len(s.Missed), shown)] {
		texts = append(texts, m.text())
	}
	text := count(len(s.Missed), "objective") + " missed: " + strings.Join(texts, "; ")
	if n := len(s.Missed) - shown; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text + "."
}

// Met is a failure.Regression if objectives of scenarios were missed.
func (s *Summary) Met() error {
	if text := s.missedText(); text != "" {
		return failure.New(failure.Regression, errors.New(strings.TrimSuffix(text, ".")), "")
	}
	return nil
}
