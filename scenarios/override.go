package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/failure"
)

// Overrides are command-line flags that change a scenario for one run. A
// zero field changes nothing.
type Overrides struct {
	// Modes (--modes) replaces the modes. A baseline that is not among them
	// gives way to the default for them.
	Modes []Mode
	// Points (--points) replaces the scale axis by these numbers of
	// Services; every number of endpoints and placement of the old axis is kept.
	Points []int
	// Blocks (--blocks) replaces the number of blocks.
	Blocks *int
	// Seed (--seed) replaces the seed.
	Seed *uint64
	// Control (--aa) replaces the control.
	Control *bool
}

// Apply changes s, completes it with defaults and validates it again. After
// an error, s is as it was; the error is a usage error that wraps a Problems
// whose File is the flag at fault.
func (o Overrides) Apply(s *Scenario) error {
	changed := *s
	if len(o.Modes) > 0 {
		changed.Modes = slices.Clone(o.Modes)
		if !slices.Contains(o.Modes, s.Baseline) {
			changed.Baseline = "" // the default for the new modes
		}
	}
	if len(o.Points) > 0 {
		changed.Points = o.replaceAxis(s.Points)
	}
	if o.Blocks != nil {
		changed.Blocks = *o.Blocks
	}
	if o.Seed != nil {
		changed.Seed = *o.Seed
	}
	if o.Control != nil {
		changed.Control = *o.Control
	}
	valid, err := revalidate(&changed)
	if zeros := o.zeros(); len(zeros) > 0 {
		if problems, ok := errors.AsType[Problems](err); ok {
			zeros = append(zeros, problems...)
		}
		err = zeros
	}
	if err != nil {
		return failure.New(failure.Usage, o.blame(err, s.Name), "")
	}
	*s = *valid
	return nil
}

// zeros reports zeros that are out of range: in YAML they would be left out,
// and so be replaced by a default.
func (o Overrides) zeros() Problems {
	var problems Problems
	if slices.Contains(o.Points, 0) {
		problems = append(problems, Problem{Path: "points", Message: "points is out of range", Found: "0",
			Expected: fmt.Sprintf("whole numbers from 1 to %d", MaxServices)})
	}
	if o.Blocks != nil && *o.Blocks == 0 {
		problems = append(problems, Problem{Path: "blocks", Message: "blocks is out of range", Found: "0",
			Expected: fmt.Sprintf("a whole number from 1 to %d", MaxBlocks)})
	}
	if o.Seed != nil && *o.Seed == 0 {
		problems = append(problems, Problem{Path: "seed", Message: "seed is out of range", Found: "0", Expected: "a whole number of at least 1"})
	}
	return problems
}

// revalidate puts s through the checks that a file gets.
func revalidate(s *Scenario) (*Scenario, error) {
	data, err := Marshal(s)
	if err != nil {
		return nil, err
	}
	return parse(s.Name, data)
}

// replaceAxis is the cross product of the new numbers of Services and the
// distinct endpoints of the old axis.
func (o Overrides) replaceAxis(old Points) Points {
	a := axes{Services: o.Points}
	for _, p := range old {
		if !slices.Contains(a.Endpoints, p.Endpoints) {
			a.Endpoints = append(a.Endpoints, p.Endpoints)
		}
		if !slices.Contains(a.Placement, p.Placement) {
			a.Placement = append(a.Placement, p.Placement)
		}
		if !slices.Contains(a.Batching, p.Batching) {
			a.Batching = append(a.Batching, p.Batching)
		}
	}
	var points Points
	a.each(func(p Point, _ map[string]int) { points = append(points, p) })
	return points
}

// blame names the flag behind each problem in err instead of a place in a
// file that the user has never seen.
func (o Overrides) blame(err error, scenario string) error {
	flags := []struct {
		name, field string
		set         bool
	}{
		{"--modes", "modes", len(o.Modes) > 0},
		{"--modes", "baseline", len(o.Modes) > 0},
		{"--points", "points", len(o.Points) > 0},
		{"--blocks", "blocks", o.Blocks != nil},
		{"--seed", "seed", o.Seed != nil},
	}
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		return fmt.Errorf("change scenario %q: %w", scenario, err)
	}
	blamed := make(Problems, len(problems))
	for i, p := range problems {
		p.File, p.Line, p.Column, p.source = scenario, 0, 0, ""
		for _, f := range flags {
			if f.set && strings.HasPrefix(p.Path, f.field) {
				p.File = f.name
			}
		}
		blamed[i] = p
	}
	return blamed
}
