package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// chooseRates measures what the modes keep up with, if scenarios leave their rate of
// connections open, and returns where that is; "" without. dir is that of the run.
func (p prepared) chooseRates(ctx context.Context, display progress.Display, dir string, env results.Environment) (string, error) {
	pilot := p.plan.Pilot()
	if pilot == nil {
		return "", nil
	}
	tried := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"."+results.PilotFolder)
	display.Line(fmt.Sprintf("first, the rate of connections that every mode keeps up with: %s, about %s", counted(len(pilot.Trials), "trial"), progress.Rough(pilot.Estimate())))
	watcher := newWatcher(ctx, display, 1)
	watcher.expect(pilot.Results())
	if err := p.plan.Try(ctx, p.provider, pilot, runners.Options{Dir: tried, Environment: env, Observer: watcher.lane()}); err != nil {
		return "", err
	}
	for _, c := range p.plan.Rates {
		display.Line(fmt.Sprintf("%s: %d connections a second", c.Scenario, c.Rate))
	}
	return tried, nil
}

// rated refuses scenarios that a virtual machine cannot measure: which leave their rate
// of connections open, or look for the highest one by a clock that has no processors.
func rated(chosen []scenarios.Scenario, clock results.Clock) error {
	for _, s := range chosen {
		if clock == results.InstructionClock && s.Measures(scenarios.Saturation) {
			return failure.New(failure.Usage, errors.New("scenario "+s.Name+" measures saturation, which means nothing with the instruction clock"), "leave out clock=instructions")
		}
		if s.Traffic.Connect != nil && s.Traffic.Connect.Rate == 0 {
			return failure.New(failure.Usage, errors.New("scenario "+s.Name+" leaves traffic.connect.rate open, which cannot be chosen in a virtual machine"), "set it in the scenario")
		}
	}
	return nil
}
