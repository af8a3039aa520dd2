package reports

import (
	"cmp"
	"fmt"
	"slices"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// analysis is a run arranged for comparison: scenarios, their points, and a
// cell for each mode at each point.
type analysis struct {
	data      *results.Data
	scenarios []*scenario
}

// scenario is what a run says about one scenario. Points and modes are those
// with a complete trial.
type scenario struct {
	results.ScenarioInfo
	baseline string
	points   []results.Point
	modes    []string
	// variants are what the modes were set up as.
	variants map[string]string
	cells    map[place]*cell
}

// place is where a cell is within its scenario.
type place struct {
	point results.Point
	mode  string
}

// cell returns the cell of a mode at a point; nil if no trial is complete.
func (s *scenario) cell(p results.Point, mode string) *cell { return s.cells[place{p, mode}] }

// scenario returns the one of that name; nil if there is none.
func (a *analysis) scenario(name string) *scenario {
	for _, s := range a.scenarios {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// label is how people read a mode of the scenario.
func (s *scenario) label(mode string) string { return results.ModeName(mode, s.variants[mode]) }

// where is the place of a mode at a point.
func (s *scenario) where(p results.Point, mode string) Where {
	return Where{Scenario: s.Name, Point: p, Mode: mode, Variant: s.variants[mode]}
}

// analyse arranges the complete trials of a run and reads their numbers.
func analyse(data *results.Data, opts Options) (*analysis, error) {
	a := &analysis{data: data}
	if err := checkBaseline(data, opts.Baseline); err != nil {
		return nil, err
	}
	for _, info := range scenarioInfos(data) {
		s := &scenario{ScenarioInfo: info, baseline: info.Baseline, variants: map[string]string{}, cells: map[place]*cell{}}
		if opts.Baseline != "" {
			s.baseline = opts.Baseline
		}
		for _, t := range data.Trials {
			if t.Scenario != info.Name {
				continue
			}
			if t.Status != results.Complete {
				if _, ok := s.variants[t.Mode]; !ok {
					s.variants[t.Mode] = t.Variant // for its name alone
				}
				continue
			}
			if err := s.add(t, data.Environment.Clock()); err != nil {
				return nil, err
			}
		}
		s.arrange()
		a.scenarios = append(a.scenarios, s)
	}
	return a, nil
}

// add takes in a complete trial of a run with that clock.
func (s *scenario) add(t *results.Trial, clock results.Clock) error {
	at := place{t.Point, t.Mode}
	c := s.cells[at]
	if c == nil {
		c = newCell(t)
		s.cells[at] = c
	}
	variant, seen := s.variants[t.Mode]
	mixed := func(format string, args ...any) error {
		return failure.New(failure.Invalid, fmt.Errorf("trial %s "+format, append([]any{t.ID}, args...)...),
			"numbers of different provenance cannot be in one run: start a new run")
	}
	switch {
	case c.provider != t.Provider:
		return mixed("ran with provider %q, others of its mode with %q", t.Provider, c.provider)
	case seen && variant != t.Variant:
		return mixed("measured %s, others of its scenario %s", results.ModeName(t.Mode, t.Variant), results.ModeName(t.Mode, variant))
	case t.Clock.Or(clock) != clock:
		return mixed("was measured with the clock %q, the run with %q", t.Clock, clock)
	}
	s.variants[t.Mode] = t.Variant
	if err := c.add(t); err != nil {
		return failure.New(failure.Invalid, fmt.Errorf("read trial %s: %w", t.ID, err), "")
	}
	return nil
}

// checkBaseline refuses a baseline that is not in the run.
func checkBaseline(data *results.Data, baseline string) error {
	if baseline == "" {
		return nil
	}
	modes := modesOf(data)
	if slices.Contains(modes, baseline) {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("baseline %q is not a mode of run %s", baseline, data.Run.ID),
		fmt.Sprintf("choose one of %v", modes))
}

// modesOf returns every mode with a trial, in the order of reports.
func modesOf(data *results.Data) []string {
	var modes []string
	for _, t := range data.Trials {
		if !slices.Contains(modes, t.Mode) {
			modes = append(modes, t.Mode)
		}
	}
	slices.SortFunc(modes, compareModes)
	return modes
}

// scenarioInfos returns the scenarios of the run, and after them those that
// only trials name.
func scenarioInfos(data *results.Data) []results.ScenarioInfo {
	infos := slices.Clone(data.Run.Scenarios)
	for _, t := range data.Trials {
		known := slices.ContainsFunc(infos, func(i results.ScenarioInfo) bool { return i.Name == t.Scenario })
		if !known {
			infos = append(infos, results.ScenarioInfo{Name: t.Scenario, Title: t.Scenario})
		}
	}
	return infos
}

// arrange lists points and modes in the order of the report and closes the
// cells.
func (s *scenario) arrange() {
	for at, c := range s.cells {
		c.close()
		if !slices.Contains(s.points, at.point) {
			s.points = append(s.points, at.point)
		}
		if !slices.Contains(s.modes, at.mode) {
			s.modes = append(s.modes, at.mode)
		}
	}
	slices.SortFunc(s.modes, compareModes)
	slices.SortFunc(s.points, func(p, q results.Point) int {
		return cmp.Or(cmp.Compare(p.Services, q.Services), cmp.Compare(p.Endpoints, q.Endpoints), cmp.Compare(p.Placement, q.Placement),
			cmp.Compare(windowOf(p), windowOf(q)), cmp.Compare(p.Batching, q.Batching))
	})
	if s.baseline == "" && len(s.modes) > 0 {
		s.baseline = s.modes[0]
	}
}

// compareModes orders the modes svcbench knows as scenarios do, others by
// name after them.
func compareModes(a, b string) int {
	return cmp.Or(cmp.Compare(modeRank(a), modeRank(b)), cmp.Compare(a, b))
}

func modeRank(mode string) int {
	if i := slices.Index(scenarios.Modes(), scenarios.Mode(results.BaseMode(mode))); i >= 0 {
		return i
	}
	return len(scenarios.Modes())
}

// modeStyle is the number of the colour, dash and marker of a mode, the same
// in every chart. Modes that svcbench does not know follow by name.
func (a *analysis) modeStyle(mode string) int {
	known := len(scenarios.Modes())
	if rank := modeRank(mode); rank < known && !results.IsAgain(mode) {
		return rank
	}
	var others []string
	for _, m := range modesOf(a.data) {
		if modeRank(m) == known || results.IsAgain(m) {
			others = append(others, m)
		}
	}
	return known + max(0, slices.Index(others, mode))
}
