package runners

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// Outcome is how far a run came, or a part of one.
type Outcome struct {
	// Dir is the run directory; empty if it could not be made.
	Dir string
	// Planned, Complete and Failed count trials. What is missing to Planned
	// was not measured.
	Planned, Complete, Failed int
	// Failures says of each failed trial why, in order.
	Failures []Failure
	// Untrusted says of each complete trial that cannot be trusted why.
	Untrusted []Failure
	// Stopped is why it ended before the last trial; nil if it did not. It is
	// a failure.Interrupted when the user is why.
	Stopped error
}

// Failure is a trial that failed.
type Failure struct{ Trial, Because string }

// OutcomeOf returns how far the run of a run directory came, and stopped is
// why it ended before its last trial.
func OutcomeOf(d *results.Data, stopped error) Outcome {
	o := Outcome{Dir: d.Dir, Planned: len(d.Run.Plan), Stopped: stopped}
	for _, t := range d.Trials {
		if t.Status == results.Complete {
			o.Complete++
			if why := t.Untrusted(); why != "" {
				o.Untrusted = append(o.Untrusted, Failure{Trial: t.ID, Because: why})
			}
			continue
		}
		o.Failed++
		o.Failures = append(o.Failures, Failure{Trial: t.ID, Because: t.Error})
	}
	return o
}

// Err is the error of a run with this outcome: nil if every trial is
// complete and can be trusted, a failure.Interrupted or failure.Environment if that is why it
// stopped, and else a failure.Invalid.
func (o Outcome) Err() error {
	done := fmt.Sprintf("after %d of %d trials", o.Complete, o.Planned)
	switch code := failure.CodeOf(o.Stopped); {
	case code == failure.Interrupted:
		return failure.New(code, fmt.Errorf("interrupted %s: %w", done, o.Stopped), o.hint())
	case code == failure.Environment:
		return failure.New(code, fmt.Errorf("stopped %s: %w", done, o.Stopped), failure.HintOf(o.Stopped))
	case o.Stopped != nil:
		return failure.New(failure.Invalid, fmt.Errorf("stopped %s: %w", done, o.Stopped), cmp.Or(o.hint(), failure.HintOf(o.Stopped)))
	case o.Failed > 0:
		first := o.Failures[0]
		return failure.New(failure.Invalid, fmt.Errorf("%d of %d trials failed, the first (%s) because: %s", o.Failed, o.Planned, first.Trial, headline(first.Because)), o.hint())
	case o.Complete < o.Planned:
		return failure.New(failure.Invalid, errors.New("ended "+done), "")
	}
	return o.untrusted()
}

// hint is the next step after a run in which trials have failed.
func (o Outcome) hint() string {
	if o.Failed == 0 {
		return ""
	}
	return fmt.Sprintf("the logs are in %s", filepath.Join(results.TrialDir(o.Dir, o.Failures[0].Trial), results.LogFolder))
}

// headline is the first line of a reason: the observer was told all of it.
func headline(because string) string {
	first, _, more := strings.Cut(because, "\n")
	if more {
		first += " ..."
	}
	return first
}
