package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// baselineFormat is the version of a Baseline's file.
const baselineFormat = 1

// Baseline is what of a run another one can be compared with: every number by blocks,
// and what decides them. It is small enough to be kept beside the source of what is
// measured.
type Baseline struct {
	Format int `json:"format"`
	// Run is the name of the run, and Svcbench the version that made it.
	Run         string              `json:"run"`
	Svcbench    string              `json:"svcbench"`
	Provider    string              `json:"provider"`
	Environment results.Environment `json:"environment"`
	// Scenarios are those of the run by name, as they were run.
	Scenarios map[string]string `json:"scenarios"`
	// Cells are the modes at points, in the order of a Summary.
	Cells []BaselineCell `json:"cells"`
}

// BaselineCell is one mode at one point of a scenario.
type BaselineCell struct {
	Where
	Numbers []BaselineNumber `json:"numbers"`
}

// BaselineNumber is one number of it.
type BaselineNumber struct {
	Metric   string `json:"metric"`
	Unit     string `json:"unit"`
	Estimate Number `json:"estimate"`
	// Values are those of the blocks, in their order.
	Values []Number `json:"values"`
	// Unfit says why no ratio can rest on them; empty if one can. The run is "the run"
	// in it.
	Unfit string `json:"unfit,omitempty"`
}

// BaselineOf takes the numbers of a run.
func BaselineOf(data *results.Data) (*Baseline, error) {
	a, err := analyse(data, Options{})
	if err != nil {
		return nil, err
	}
	b := &Baseline{
		Format: baselineFormat, Run: data.Run.ID, Svcbench: data.Environment.Svcbench, Provider: data.Run.Provider,
		Environment: data.Environment, Scenarios: map[string]string{}, Cells: []BaselineCell{},
	}
	for _, s := range a.scenarios {
		b.Scenarios[s.Name] = s.YAML
		for _, p := range s.points {
			for _, mode := range s.modes {
				if c := s.cell(p, mode); c != nil {
					b.Cells = append(b.Cells, BaselineCell{s.where(p, mode), baselineNumbers(c)})
				}
			}
		}
	}
	return b, nil
}

func baselineNumbers(c *cell) []BaselineNumber {
	all := c.measures()
	numbers := make([]BaselineNumber, 0, len(all))
	for _, metric := range slices.SortedFunc(maps.Keys(all), compareMetrics) {
		m := all[metric]
		n := BaselineNumber{Metric: metric, Unit: m.unit, Estimate: Number(m.estimate.Estimate), Values: []Number{}, Unfit: m.unfit(someRun)}
		for _, block := range slices.Sorted(maps.Keys(m.blocks)) {
			// As it is written, so that a run and its file are the same.
			n.Values = append(n.Values, Number(Number(m.blocks[block]).rounded()))
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// someRun is what a run is called in BaselineNumber.Unfit.
const someRun = "the run"

// Write writes the file: a line for each number, so that two of them can be told apart
// line by line.
func (b *Baseline) Write(w io.Writer) error {
	head := *b
	head.Cells = nil
	top, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(top, []byte("null\n}")))
	out.WriteString("[")
	for i, c := range b.Cells {
		where, err := json.Marshal(c.Where)
		if err != nil {
			return fmt.Errorf("write baseline: %w", err)
		}
		fmt.Fprintf(&out, "%s\n    %s, \"numbers\": [", comma(i), bytes.TrimSuffix(where, []byte("}")))
		for k, n := range c.Numbers {
			line, err := json.Marshal(n)
			if err != nil {
				return fmt.Errorf("write baseline: %w", err)
			}
			fmt.Fprintf(&out, "%s\n      %s", comma(k), line)
		}
		out.WriteString("\n    ]}")
	}
	out.WriteString("\n  ]\n}\n")
	_, err = out.WriteTo(w)
	return err
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// ReadBaseline reads what Write has written. name is that of the file, for errors.
func ReadBaseline(name string, data []byte) (*Baseline, error) {
	const hint = "`svcbench baseline RUN` writes one"
	// A newer file may differ in anything but its number.
	var version struct {
		Format int `json:"format"`
	}
	if err := results.Decode(name, data, &version); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("read baseline: %w", err), hint)
	}
	switch {
	case version.Format > baselineFormat:
		return nil, failure.New(failure.Usage, fmt.Errorf("%s has format %d, and this svcbench reads up to %d", name, version.Format, baselineFormat), "use a newer version of svcbench")
	case version.Format < 1:
		return nil, failure.New(failure.Usage, fmt.Errorf("%s is no baseline: format is missing", name), hint)
	}
	b := &Baseline{}
	if err := results.Decode(name, data, b); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("read baseline: %w", err), hint)
	}
	if len(b.Cells) == 0 {
		return nil, failure.New(failure.Usage, fmt.Errorf("%s: there are no numbers in it", name), "take a run with complete trials")
	}
	return b, nil
}

// cell returns the numbers of a place by metric; nil if there are none.
func (b *Baseline) cell(w Where) map[string]BaselineNumber {
	for _, c := range b.Cells {
		if c.Where != w {
			continue
		}
		numbers := make(map[string]BaselineNumber, len(c.Numbers))
		for _, n := range c.Numbers {
			numbers[n.Metric] = n
		}
		return numbers
	}
	return nil
}

// values are those of the blocks.
func (n BaselineNumber) values() []float64 {
	all := make([]float64, len(n.Values))
	for i, v := range n.Values {
		all[i] = float64(v)
	}
	return all
}
