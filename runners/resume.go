package runners

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// left returns the trials that are still to be measured and, of a run that is resumed,
// those that it has and that are measured again. It is a usage error if that run was
// of another plan.
func (p *Plan) left(o Options) (trials []Trial, again []string, err error) {
	trials = p.trials(o.Part)
	if o.Resume == nil {
		return trials, nil, nil
	}
	if err := p.same(o.Resume.Run.Plan); err != nil {
		return nil, nil, failure.New(failure.Usage, fmt.Errorf("resume run %s: %w", o.Resume.Run.ID, err),
			"begin a new run: what this machine can run has changed, or svcbench has")
	}
	has, complete := map[string]bool{}, map[string]bool{}
	for _, t := range o.Resume.Trials {
		has[t.ID], complete[t.ID] = true, t.Status == results.Complete
	}
	unfinished := map[Part]bool{}
	for _, t := range trials {
		if !complete[t.ID] { // what has failed may not fail again
			unfinished[partOf(t.PlannedTrial)] = true
		}
	}
	trials = slices.DeleteFunc(slices.Clone(trials), func(t Trial) bool { return !unfinished[partOf(t.PlannedTrial)] })
	for _, t := range trials {
		if has[t.ID] {
			again = append(again, t.ID)
		}
	}
	if len(trials) == 0 {
		return nil, nil, failure.New(failure.Usage, fmt.Errorf("run %s is complete: there is nothing to resume", o.Resume.Run.ID), "")
	}
	return trials, again, nil
}

// same makes sure that a plan is the one of a run.
func (p *Plan) same(of []results.PlannedTrial) error {
	if len(of) != len(p.Trials) {
		return fmt.Errorf("it has %d trials planned, and the same scenarios would have %d now", len(of), len(p.Trials))
	}
	for i, t := range p.Trials {
		if t.ID != of[i].ID {
			return fmt.Errorf("trial %d of its plan is %s, and would be %s now", i+1, of[i].ID, t.ID)
		}
	}
	return nil
}

// sameEnvironment makes sure that a run goes on where it was begun: numbers of
// different machines must not be in one.
func sameEnvironment(was, is results.Environment) error {
	differ := was.Differences(is)
	for _, d := range []results.Difference{{What: "svcbench", Old: was.Svcbench, New: is.Svcbench}, {What: "source of svcbench", Old: was.GitCommit, New: is.GitCommit}} {
		if d.Old != d.New {
			differ = append(differ, d)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	lines := make([]string, len(differ))
	for i, d := range differ {
		lines[i] = fmt.Sprintf("\n  %s: %s, now %s", d.What, cmp.Or(d.Old, "nothing"), cmp.Or(d.New, "nothing"))
	}
	return failure.New(failure.Invalid, fmt.Errorf("the environment is not that of the run any more:%s", strings.Join(lines, "")), "begin a new run")
}
