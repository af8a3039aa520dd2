package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// cell is one mode at one point of a scenario: its complete trials, one for
// each block.
type cell struct {
	mode     string
	variant  string
	provider string
	point    results.Point
	trials   []*results.Trial
	// samples are the distributions by name of metric and class.
	samples map[sampleKey]*samples
	scalars map[string]*scalar
	// mixed says that there were changes other than replaced ones.
	mixed bool
}

type sampleKey struct{ metric, class string }

// samples is one distribution measured in several blocks.
type samples struct {
	// blocks are the distributions of single trials, by block.
	blocks map[int]*stats.Distribution
	// merged has the samples of all blocks together.
	merged *stats.Distribution
	// errors counts attempts that failed, by kind.
	errors map[string]int64
}

// scalar is a metric with one value per trial.
type scalar struct {
	unit     string
	blocks   map[int]float64
	censored map[int]bool
}

func newCell(t *results.Trial) *cell {
	return &cell{
		mode: t.Mode, variant: t.Variant, provider: t.Provider, point: t.Point,
		samples: map[sampleKey]*samples{}, scalars: map[string]*scalar{},
	}
}

// add takes in the numbers of one trial.
func (c *cell) add(t *results.Trial) error {
	for _, earlier := range c.trials {
		if earlier.Block == t.Block {
			return fmt.Errorf("trial %s measured %s in block %d already", earlier.ID, results.ModeName(c.mode, c.variant), t.Block)
		}
	}
	c.trials = append(c.trials, t)
	for _, h := range t.Histograms {
		counted := stats.NewHistogram()
		if h.HDR != "" { // else nothing was recorded
			var err error
			if counted, err = stats.Decode(h.HDR); err != nil {
				return fmt.Errorf("histogram %s of class %s: %w", h.Metric, h.Class, err)
			}
		}
		s := c.sample(sampleKey{h.Metric, h.Class})
		s.blocks[t.Block] = stats.NewDistribution(counted, h.Censored)
		s.addErrors(h.Errors)
	}
	for _, v := range t.Scalars {
		c.scalar(v.Metric, v.Unit).put(t.Block, v.Value, v.Censored)
	}
	c.addChanges(t)
	return nil
}

func (c *cell) sample(key sampleKey) *samples {
	s := c.samples[key]
	if s == nil {
		s = &samples{blocks: map[int]*stats.Distribution{}, errors: map[string]int64{}}
		c.samples[key] = s
	}
	return s
}

func (c *cell) scalar(metric, unit string) *scalar {
	s := c.scalars[metric]
	if s == nil {
		s = &scalar{unit: unit, blocks: map[int]float64{}, censored: map[int]bool{}}
		c.scalars[metric] = s
	}
	return s
}

// put sets the value of a block.
func (s *scalar) put(block int, value float64, censored bool) {
	s.blocks[block], s.censored[block] = value, censored
}

func (s *samples) addErrors(errors map[string]int64) {
	for kind, n := range errors {
		s.errors[kind] += n
	}
}

// close merges the blocks when the last trial has been added.
func (c *cell) close() {
	slices.SortFunc(c.trials, func(a, b *results.Trial) int { return cmp.Compare(a.Block, b.Block) })
	for _, s := range c.samples {
		parts := make([]*stats.Distribution, 0, len(s.blocks))
		for _, block := range slices.Sorted(maps.Keys(s.blocks)) {
			parts = append(parts, s.blocks[block])
		}
		s.merged = stats.MergeDistributions(parts...)
	}
}

// merged returns the samples of all blocks; nil if there are none.
func (c *cell) merged(metric, class string) *stats.Distribution {
	if c == nil || c.samples[sampleKey{metric, class}] == nil {
		return nil
	}
	if d := c.samples[sampleKey{metric, class}].merged; d.Total() > 0 {
		return d
	}
	return nil
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }
