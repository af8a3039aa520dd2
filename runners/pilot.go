package runners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

const (
	// share is the part of the weakest mode's saturation that a load may be: below it,
	// latencies are those of the path and not of a queue.
	share = 0.5
	// enoughRate is the most that is chosen: more gives no better percentiles, and the
	// time between two connections would come near to what it takes to be woken.
	enoughRate = 2000
)

// unrated reports whether the run chooses the rate of a scenario's connections.
func unrated(s *scenarios.Scenario) bool {
	return s.Traffic.Connect != nil && s.Traffic.Connect.Rate == 0
}

// Pilot returns what is measured before the plan, so that ChooseRates can be called: for
// each scenario that leaves the rate of its connections open, the saturation of every
// mode at the largest point. It is nil if there is none.
func (p *Plan) Pilot() *Plan {
	pilot := &Plan{Modes: p.Modes}
	for i := range p.Scenarios {
		if !unrated(&p.Scenarios[i]) {
			continue
		}
		s := p.Scenarios[i]
		s.Traffic, s.Churn, s.SLO = scenarios.Traffic{}, nil, nil
		s.Measure, s.Blocks, s.Control = []scenarios.Instrument{scenarios.Saturation}, 1, false
		s.Points = scenarios.Points{slices.MaxFunc(p.Scenarios[i].ResolvedPoints(), func(a, b scenarios.Point) int {
			return cmp.Or(cmp.Compare(a.Services, b.Services), cmp.Compare(a.Endpoints, b.Endpoints))
		})}
		var modes []scenarios.Mode
		for _, t := range p.Trials {
			if t.Scenario == s.Name && !slices.Contains(modes, t.mode) {
				modes = append(modes, t.mode)
			}
		}
		pilot.Scenarios = append(pilot.Scenarios, s)
		pilot.add(&s, modes)
	}
	if len(pilot.Trials) == 0 {
		return nil
	}
	return pilot
}

// Try measures a pilot in Options.Dir, which Options.Pilot of the run takes over, and
// gives the scenarios of the plan the rates that follow from it. What it has measured
// stays there when it fails, unless ctx has ended.
func (p *Plan) Try(ctx context.Context, provider clusters.Provider, pilot *Plan, o Options) (err error) {
	if err := fits(provider, p); err != nil {
		return err
	}
	defer func() {
		if failure.CodeOf(err) == failure.Interrupted {
			err = errors.Join(err, os.RemoveAll(o.Dir))
		}
	}()
	if _, err := Run(ctx, provider, pilot, o); failure.CodeOf(err) != failure.Invalid && err != nil {
		return err
	}
	data, err := results.Open(o.Dir)
	if err != nil {
		return err
	}
	for i := range p.Scenarios {
		if !unrated(&p.Scenarios[i]) {
			continue
		}
		chosen, err := chooseRate(p.Scenarios[i].Name, data)
		if err != nil {
			return err
		}
		p.rate(&p.Scenarios[i], chosen)
	}
	return nil
}

// rate gives a scenario, and its trials, the rate that was chosen.
func (p *Plan) rate(s *scenarios.Scenario, chosen results.ChosenRate) {
	c := *s.Traffic.Connect
	c.Rate = chosen.Rate
	s.Traffic.Connect = &c
	for i := range p.Trials {
		if p.Trials[i].Scenario == s.Name {
			p.Trials[i].scenario.Traffic.Connect = &c
		}
	}
	p.Rates = append(p.Rates, chosen)
}

// chooseRate chooses by the saturation of the modes of a scenario. A mode whose trial
// failed has no say: its others will say why.
func chooseRate(scenario string, data *results.Data) (results.ChosenRate, error) {
	c := results.ChosenRate{Scenario: scenario, Saturation: map[string]float64{}}
	why := "there was no trial"
	for _, t := range data.Trials {
		if t.Scenario != scenario {
			continue
		}
		c.Point = t.Point
		if t.Status == results.Failed {
			why = t.Error
			continue
		}
		limit := slices.IndexFunc(t.Scalars, func(s results.Scalar) bool { return s.Metric == results.ConnectSaturation })
		if limit < 0 {
			return c, failure.New(failure.Invalid, fmt.Errorf("choose a rate for scenario %s: mode %s keeps up with less than %d connections a second at %d Services",
				scenario, t.Mode, lowestRate, t.Point.Services), "set traffic.connect.rate in the scenario")
		}
		c.Saturation[t.Mode] = t.Scalars[limit].Value
		if why := t.Untrusted(); why != "" {
			c.Untrusted = t.Mode + ": " + why
		}
	}
	if len(c.Saturation) == 0 {
		return c, failure.New(failure.Invalid, fmt.Errorf("choose a rate for scenario %s: %s", scenario, why), "set traffic.connect.rate in the scenario, or see what is wrong with the modes")
	}
	c.Rate = plainRate(min(enoughRate, share*slices.Min(slices.Collect(maps.Values(c.Saturation)))))
	return c, nil
}

// plainRate is the largest of 1, 2 and 5 times a power of ten that is not above most, so
// that runs on one machine hardly ever choose another: with another rate they could not
// be compared.
func plainRate(most float64) int {
	best := 1
	for power := 1; float64(power) <= most; power *= 10 {
		for _, digit := range []int{1, 2, 5} {
			if float64(digit*power) <= most {
				best = digit * power
			}
		}
	}
	return best
}
