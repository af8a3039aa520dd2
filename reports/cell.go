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
		s := c.scalars[v.Metric]
		if s == nil {
			s = &scalar{unit: v.Unit, blocks: map[int]float64{}, censored: map[int]bool{}}
			c.scalars[v.Metric] = s
		}
		s.blocks[t.Block] = v.Value
		s.censored[t.Block] = v.Censored
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

func (s *samples) addErrors(errors map[string]int64) {
	for kind, n := range errors {
		s.errors[kind] += n
	}
}

// unmeasured is the kind of error of a change whose API write failed, or of which
// traffic could not tell.
const unmeasured = "not written or not observable"

// addChanges derives programming latencies. A change that traffic had not
// or, in modes whose tables can be looked up, the tables had not shown when
// observation ended is censored with the time until then; a change whose write
// failed is an error and no sample.
func (c *cell) addChanges(t *results.Trial) {
	if len(t.Changes) == 0 {
		return
	}
	var added, addedLate, removed, removedLate, programmed, programmedLate []int64
	var pods podChanges
	failed := int64(0)
	for _, ch := range t.Changes {
		watched := max(0, ch.GaveUp-ch.Sent)
		switch {
		case ch.Error != "":
			failed++
			continue
		case isPodChange(ch):
			pods.add(ch)
			continue
		case ch.FirstNew == 0:
			addedLate = append(addedLate, watched)
		default:
			added = append(added, max(0, ch.FirstNew-ch.Sent))
		}
		if ch.Programmed == 0 {
			programmedLate = append(programmedLate, watched)
		} else {
			programmed = append(programmed, max(0, ch.Programmed-ch.Sent))
		}
		if ch.OldSettled == 0 {
			removedLate = append(removedLate, watched)
		} else {
			removed = append(removed, max(0, ch.LastOld-ch.Sent))
		}
	}
	derived := pods.distributions()
	if len(derived) == 0 {
		derived = map[string]*stats.Distribution{
			results.ProgrammingAdd:    stats.FromDurations(added, addedLate),
			results.ProgrammingRemove: stats.FromDurations(removed, removedLate),
		}
	}
	if len(programmed) > 0 { // else they cannot be looked up, or showed nothing, which the trial says
		derived[results.ProgrammingTable] = stats.FromDurations(programmed, programmedLate)
	}
	for metric, d := range derived {
		s := c.sample(sampleKey{metric, results.ClassAll})
		s.blocks[t.Block] = d
		if failed > 0 {
			s.errors[unmeasured] += failed
		}
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
