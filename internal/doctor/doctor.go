// Package doctor finds out whether a machine is fit to measure on: an ordered
// list of checks, each of which tries rather than guesses, with the command
// that repairs what it finds.
package doctor

import (
	"context"
	"fmt"

	"svcbench/internal/failure"
)

// Severity says what depends on a check.
type Severity string

// The severities.
const (
	// Required means that nothing can be measured without it.
	Required Severity = "required"
	// Advised means that without it something is left out or less certain.
	Advised Severity = "advised"
)

// Status is the outcome of a check.
type Status string

// The outcomes. A required check that is not Ok, Warning or Unknown makes the
// machine unfit.
const (
	Ok      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	// Unknown means that the check itself could not be carried out.
	Unknown Status = "unknown"
)

// Check is one thing that a machine must or should have.
type Check struct {
	// ID is short and stable, for programs and for documentation.
	ID string
	// Title names what is checked.
	Title    string
	Severity Severity
	// Fast checks are also made before every run.
	Fast bool
	// Try finds out.
	Try func(ctx context.Context) Finding
}

// Finding is what trying found.
type Finding struct {
	Status Status
	// Detail is what was found, a few words.
	Detail string
	// Fix is the command that repairs it, or the next step; empty for Ok.
	Fix string
}

// Result is a check with its finding.
type Result struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Status   Status   `json:"status"`
	Detail   string   `json:"detail"`
	Fix      string   `json:"fix,omitempty"`
}

// Fast returns the checks to make before every run.
func Fast(checks []Check) []Check {
	var fast []Check
	for _, c := range checks {
		if c.Fast {
			fast = append(fast, c)
		}
	}
	return fast
}

// Examine makes the checks in their order. It ends early, with what it has,
// only when ctx does.
func Examine(ctx context.Context, checks []Check) []Result {
	results := make([]Result, 0, len(checks))
	for _, c := range checks {
		if ctx.Err() != nil {
			break
		}
		f := c.Try(ctx)
		if f.Status == Failed && c.Severity != Required {
			f.Status = Warning
		}
		results = append(results, Result{
			ID: c.ID, Title: c.Title, Severity: c.Severity,
			Status: f.Status, Detail: f.Detail, Fix: f.Fix,
		})
	}
	return results
}

// Verdict is nil for a machine that is fit. The error is an environment
// failure; its hint is the first repair.
func Verdict(results []Result) error {
	failed, fix := 0, ""
	var first Result
	for _, r := range results {
		if r.Status != Failed {
			continue
		}
		if failed == 0 {
			first, fix = r, r.Fix
		}
		failed++
	}
	switch failed {
	case 0:
		return nil
	case 1:
		return failure.New(failure.Environment, fmt.Errorf("this machine is not fit: %s: %s", first.Title, first.Detail), fix)
	}
	return failure.New(failure.Environment,
		fmt.Errorf("this machine is not fit: %s: %s (and %d more)", first.Title, first.Detail, failed-1), fix)
}

func okay(format string, args ...any) Finding {
	return Finding{Status: Ok, Detail: fmt.Sprintf(format, args...)}
}

func failed(fix, format string, args ...any) Finding {
	return Finding{Status: Failed, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func warning(fix, format string, args ...any) Finding {
	return Finding{Status: Warning, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func unknown(err error) Finding {
	return Finding{Status: Unknown, Detail: fmt.Sprintf("could not be checked: %v", err)}
}
