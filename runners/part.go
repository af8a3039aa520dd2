package runners

import (
	"fmt"
	"slices"

	"svcbench/internal/results"
)

// Part is the trials of one block at one point of a scenario: the least that
// can be compared, and what is measured in one place.
type Part struct {
	Scenario string        `json:"scenario"`
	Point    results.Point `json:"point"`
	Block    int           `json:"block"`
}

// Parts returns the parts of the plan in the order in which they begin, which
// is the same whatever the modes are.
func (p *Plan) Parts() []Part {
	var parts []Part
	for _, t := range p.Trials {
		if part := partOf(t.PlannedTrial); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

func partOf(t results.PlannedTrial) Part {
	return Part{Scenario: t.Scenario, Point: t.Point, Block: t.Block}
}

// Population names what the API holds in every trial of the part. It can be
// the name of a file.
func (p Part) Population() string {
	at := p.Point
	at.Batching = "" // which is nothing that is written
	return p.Scenario + "-" + at.File()
}

// Name tells the parts of a plan apart. It can be the name of a file.
func (p Part) Name() string { return fmt.Sprintf("%s-%s-b%d", p.Scenario, p.Point.File(), p.Block) }

// trials returns the trials of a part of the plan; nil is all of it.
func (p *Plan) trials(part *Part) []Trial {
	if part == nil {
		return p.Trials
	}
	var its []Trial
	for _, t := range p.Trials {
		if partOf(t.PlannedTrial) == *part {
			its = append(its, t)
		}
	}
	return its
}
