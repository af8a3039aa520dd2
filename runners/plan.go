package runners

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// Plan is every trial of a run in the order in which they are measured.
type Plan struct {
	// Trials are in their real order.
	Trials []Trial
	// Modes says for every mode somebody asked for whether it is measured,
	// in the order of reports.
	Modes []results.ModeStatus
	// Scenarios are those with trials, in the order asked for.
	Scenarios []scenarios.Scenario
	// Skipped are the scenarios none of whose modes can run.
	Skipped []Skipped
	// Rates are those that Try has chosen.
	Rates []results.ChosenRate
}

// Skipped is a scenario without trials.
type Skipped struct{ Scenario, Because string }

// Trial is a planned trial.
type Trial struct {
	results.PlannedTrial
	scenario *scenarios.Scenario
	point    scenarios.Point
	mode     scenarios.Mode
}

// NewPlan plans the scenarios one after the other. Within a scenario it goes
// block by block, so that a run that ends early has whole blocks at every
// point; within a block over the points in shuffled order; and at each point
// over all modes back to back, in an order balanced over the blocks (see
// orders). The scenario's seed decides all of it.
//
// Only modes that certainly can run are planned. It is a usage error if two
// scenarios have one name, and an environment error if there is nothing to run.
func NewPlan(scs []scenarios.Scenario, support []clusters.Support) (*Plan, error) {
	p := &Plan{}
	asked, included := map[scenarios.Mode]bool{}, map[scenarios.Mode]bool{}
	for _, s := range scs {
		if slices.ContainsFunc(p.Scenarios, func(o scenarios.Scenario) bool { return o.Name == s.Name }) {
			return nil, failure.New(failure.Usage, fmt.Errorf("scenario %q is named twice", s.Name), "name a scenario once (--blocks repeats it), and give two files two names")
		}
		modes, because := runnable(&s, support)
		for _, m := range wanted(&s, support) {
			asked[m] = true
		}
		if len(modes) == 0 {
			p.Skipped = append(p.Skipped, Skipped{Scenario: s.Name, Because: because})
			continue
		}
		for _, m := range modes {
			included[m] = true
		}
		// A ratio needs a baseline that was measured.
		if !slices.Contains(modes, s.Baseline) {
			s.Baseline = modes[0]
		}
		p.Scenarios = append(p.Scenarios, s)
		p.add(&s, modes)
	}
	for _, s := range support {
		if asked[s.Mode] {
			p.Modes = append(p.Modes, status(s, included[s.Mode]))
		}
	}
	if len(p.Trials) == 0 {
		return nil, p.nothing()
	}
	return p, nil
}

// Included are the modes that are measured.
func (p *Plan) Included() []scenarios.Mode {
	var modes []scenarios.Mode
	for _, m := range p.Modes {
		if m.Included {
			modes = append(modes, scenarios.Mode(m.Mode))
		}
	}
	return modes
}

// add appends the trials of a scenario.
func (p *Plan) add(s *scenarios.Scenario, modes []scenarios.Mode) {
	points := s.ResolvedPoints()
	asked := make([]contestant, 0, len(modes)+1)
	for _, m := range modes {
		asked = append(asked, contestant{mode: m})
	}
	if s.Control {
		asked = append(asked, contestant{mode: s.Baseline, again: true})
	}
	sequences := make([][][]int, len(points))
	for i := range points {
		sequences[i] = orders(len(asked), s.Blocks, source(s.Seed, "order", s.Name, fmt.Sprint(i)))
	}
	for block := range s.Blocks {
		for _, i := range source(s.Seed, "points", s.Name, fmt.Sprint(block)).Perm(len(points)) {
			for _, m := range sequences[i][block] {
				p.addTrial(s, points[i], asked[m], block+1)
			}
		}
	}
}

// contestant is a mode that takes part in a block, or the second measurement of it.
type contestant struct {
	mode  scenarios.Mode
	again bool
}

// name is that of the mode in results.
func (c contestant) name() string {
	if c.again {
		return results.Again(string(c.mode))
	}
	return string(c.mode)
}

func (p *Plan) addTrial(s *scenarios.Scenario, point scenarios.Point, c contestant, block int) {
	order, mode := len(p.Trials)+1, c.mode
	variant := s.Settings().Variant(mode)
	name := c.name()
	if variant != "" {
		name += "-" + variant
	}
	estimate := Estimate(s, point, mode)
	if !slices.ContainsFunc(p.Trials, func(t Trial) bool { return keyOf(t) == populationKey{s.Name, point.Population()} }) {
		estimate += EstimatePopulation(point)
	}
	at := pointOf(point)
	p.Trials = append(p.Trials, Trial{
		PlannedTrial: results.PlannedTrial{
			ID:       fmt.Sprintf("%04d-%s-%s-%s-b%d", order, s.Name, at.File(), name, block),
			Scenario: s.Name,
			Point:    at,
			Mode:     c.name(),
			Variant:  variant,
			Block:    block,
			Order:    order,
			Estimate: estimate.Seconds(),
		},
		scenario: s.At(point), point: point, mode: mode,
	})
}

// pointOf is a point as results have it.
func pointOf(p scenarios.Point) results.Point {
	return results.Point{Services: p.Services, Endpoints: p.Endpoints, Placement: string(p.Placement), Batching: string(p.Batching)}
}

// Estimate is how long all trials will take together.
func (p *Plan) Estimate() time.Duration {
	var seconds float64
	for _, t := range p.Trials {
		seconds += t.PlannedTrial.Estimate
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// Seed is the seed of the first scenario; each has its own.
func (p *Plan) Seed() uint64 { return p.Scenarios[0].Seed }

// Results returns the plan as a run directory holds it.
func (p *Plan) Results() []results.PlannedTrial {
	list := make([]results.PlannedTrial, len(p.Trials))
	for i, t := range p.Trials {
		list[i] = t.PlannedTrial
	}
	return list
}

// infos returns what a run directory holds of the scenarios.
func (p *Plan) infos() ([]results.ScenarioInfo, error) {
	infos := make([]results.ScenarioInfo, len(p.Scenarios))
	for i, s := range p.Scenarios {
		yaml, err := scenarios.Marshal(&s)
		if err != nil {
			return nil, err
		}
		info := results.ScenarioInfo{
			Name: s.Name, Title: s.Title, Description: s.Description,
			Baseline: string(s.Baseline), Blocks: s.Blocks, YAML: string(yaml),
		}
		for _, point := range s.ResolvedPoints() {
			info.Points = append(info.Points, pointOf(point))
		}
		infos[i] = info
	}
	return infos, nil
}

// wanted returns the modes that a scenario asks for, in the order of reports:
// without a list, those that the provider knows.
func wanted(s *scenarios.Scenario, support []clusters.Support) []scenarios.Mode {
	var modes []scenarios.Mode
	for _, o := range support {
		if len(s.Modes) == 0 || slices.Contains(s.Modes, o.Mode) {
			modes = append(modes, o.Mode)
		}
	}
	return modes
}

// runnable returns the modes of a scenario that can run, and why if none can.
func runnable(s *scenarios.Scenario, support []clusters.Support) (modes []scenarios.Mode, because string) {
	var reasons []string
	for _, o := range support {
		switch {
		case !slices.Contains(wanted(s, support), o.Mode):
		case o.Answer == clusters.Yes:
			modes = append(modes, o.Mode)
		default:
			reasons = append(reasons, fmt.Sprintf("%s: %s", o.Mode, status(o, false).Because))
		}
	}
	if len(reasons) == 0 {
		return modes, "the provider has none of its modes"
	}
	return modes, strings.Join(reasons, "; ")
}

// status says whether a mode is part of the run and why not.
func status(s clusters.Support, included bool) results.ModeStatus {
	st := results.ModeStatus{Mode: string(s.Mode), Included: included}
	switch {
	case included:
	case s.Answer == clusters.Unknown:
		st.Because = "it could not be found out whether it works here: " + s.Because
	case s.Answer == clusters.Yes: // some other scenario wants it, and has no trials
		st.Because = "no scenario of this run measures it"
	default:
		st.Because = s.Because
	}
	return st
}

// nothing is the error of a plan without trials.
func (p *Plan) nothing() error {
	if len(p.Skipped) == 0 {
		return failure.New(failure.Usage, errors.New("no scenario to run"), "`svcbench list` shows the built-in scenarios")
	}
	var lines []string
	for _, s := range p.Skipped {
		lines = append(lines, fmt.Sprintf("scenario %q: %s", s.Scenario, s.Because))
	}
	return failure.New(failure.Environment, fmt.Errorf("no mode that was asked for can run here: %s", strings.Join(lines, "; ")),
		"`svcbench doctor` shows what each mode needs")
}
