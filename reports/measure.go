package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// measure is a metric of a cell, block by block and together.
type measure struct {
	metric, unit string
	// blocks are the values of single trials, by block, bounds those of
	// them that are lower bounds.
	blocks map[int]float64
	bounds map[int]bool
	// estimate is from all blocks together.
	estimate stats.Interval
	atLeast  bool

	// untrusted says why a trial among them cannot be trusted; "" if all can.
	untrusted                 string
	samples, censored, errors int64
	warnings                  []string
}

// measures returns every metric of a cell by name.
func (c *cell) measures() map[string]*measure {
	all := map[string]*measure{}
	for key, s := range c.samples {
		for _, p := range percentilesOf(key.class) {
			if m := s.measure(p); m != nil {
				m.metric = metricName(key.metric, key.class) + "." + p.suffix
				all[m.metric] = m
			}
		}
	}
	for metric, s := range c.scalars {
		m := s.measure()
		m.metric = metric
		all[metric] = m
	}
	for metric, m := range all {
		m.untrusted = c.untrusted()
		m.warnings = append(m.warnings, c.warningsOf(metric)...)
	}
	return all
}

// untrusted says why a trial of the cell cannot be trusted; "" if all can.
func (c *cell) untrusted() string {
	for _, t := range c.trials {
		if why := t.Untrusted(); why != "" {
			return fmt.Sprintf("block %d: %s", t.Block, why)
		}
	}
	return ""
}

// disagreement is the factor between blocks of one metric above which they have
// not measured the same thing.
const disagreement = 10

// measure returns the percentile p; nil if there are too few samples for it. A
// median is always given, with a warning if it rests on few.
func (s *samples) measure(p percentile) *measure {
	supported := s.merged.Supports(p.q)
	if !supported && p.q > 0.5 || s.merged.Total() == 0 {
		return nil
	}
	m := &measure{
		unit: "s", blocks: map[int]float64{}, bounds: map[int]bool{},
		samples: s.merged.Total(), censored: s.merged.Censored(),
	}
	var values []float64
	for _, block := range slices.Sorted(maps.Keys(s.blocks)) {
		v, ok := s.blocks[block].Quantile(p.q)
		if !ok {
			// A block in which everything timed out has no value, and must not
			// leave the comparison to the others.
			m.bounds[block] = s.blocks[block].Total() > 0
			continue
		}
		m.blocks[block], m.bounds[block] = seconds(v.NS), v.AtLeast
		values = append(values, seconds(v.NS))
	}
	v, ok := s.merged.Quantile(p.q)
	if !ok {
		m.estimate = stats.Median(nil)
		m.warnings = append(m.warnings, fmt.Sprintf("all %s attempts timed out", thousands(m.samples)))
		return m
	}
	m.estimate, m.atLeast = stats.Around(seconds(v.NS), values), v.AtLeast
	if m.bounded() {
		// An interval of lower bounds would claim too much.
		m.estimate.Lo, m.estimate.Hi = float64(unknown()), float64(unknown())
	}
	switch beyond := s.merged.Above(p.q); {
	case !supported:
		m.warnings = append(m.warnings, "only "+count(int(m.samples), "sample"))
	case beyond < stats.Beyond:
		m.warnings = append(m.warnings, fmt.Sprintf("%s, of which %d are above it", count(int(m.samples), "sample"), beyond))
	}
	if v.NS > 0 && slices.Min(values) > 0 && slices.Max(values) > disagreement*slices.Min(values) {
		m.warnings = append(m.warnings, fmt.Sprintf("blocks differ by more than a factor of %d: the estimate is that of all samples together and the ratio that of the middle block, so that they may not agree", disagreement))
	}
	m.warn(s.errors)
	return m
}

// bounded reports whether any block has only a lower bound.
func (m *measure) bounded() bool {
	if m.atLeast {
		return true
	}
	for _, b := range m.bounds {
		if b {
			return true
		}
	}
	return false
}

// warn puts time-outs and errors in words.
func (m *measure) warn(errors map[string]int64) {
	if m.censored > 0 {
		text := fmt.Sprintf("%s of %s timed out and count as longer than any other", thousands(m.censored), thousands(m.samples))
		if m.atLeast {
			text += "; the percentile falls among them, so that it is a lower bound"
		}
		m.warnings = append(m.warnings, text)
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		if errors[kind] > 0 {
			m.errors += errors[kind]
			kinds = append(kinds, fmt.Sprintf("%s %s", thousands(errors[kind]), kind))
		}
	}
	if m.errors > 0 {
		m.warnings = append(m.warnings, fmt.Sprintf("%s of %s failed and are not in the percentile: %s",
			thousands(m.errors), thousands(m.errors+m.samples), strings.Join(kinds, ", ")))
	}
}

// measure returns the median over blocks.
func (s *scalar) measure() *measure {
	m := &measure{unit: s.unit, blocks: s.blocks, bounds: s.censored, samples: int64(len(s.blocks))}
	var values []float64
	for _, block := range slices.Sorted(maps.Keys(s.blocks)) {
		values = append(values, s.blocks[block])
		if s.censored[block] {
			m.censored++
		}
	}
	m.estimate = stats.MedianFactor(values)
	// The upper half of an even number of trials is in the median too.
	m.atLeast = 2*m.censored >= m.samples && m.censored > 0
	if m.censored > 0 {
		m.estimate.Lo, m.estimate.Hi = float64(unknown()), float64(unknown())
		m.warnings = append(m.warnings, fmt.Sprintf("%d of %d trials timed out; their values are lower bounds", m.censored, m.samples))
	}
	return m
}

// warningsOf returns what the cell's trials say about a metric, with the
// blocks they say it of.
func (c *cell) warningsOf(metric string) []string {
	var texts []string
	for _, d := range append(c.doubts(), c.lagDoubts("")...) {
		if d.Metric != "" && hasPrefix(metric, d.Metric) {
			texts = append(texts, d.Message+inBlocks(d.Blocks, len(c.trials)))
		}
	}
	return texts
}

// doubts are the warnings of the cell's trials, each once, in the order of
// blocks.
func (c *cell) doubts() []Doubt {
	var all []Doubt
	for _, t := range c.trials {
		for _, w := range t.Warnings {
			all = addDoubt(all, Doubt{Where: whereOf(t), Metric: w.Metric, Message: w.Message}, t.Block)
		}
	}
	return all
}

func addDoubt(all []Doubt, d Doubt, block int) []Doubt {
	for i, have := range all {
		if have.Where == d.Where && have.Metric == d.Metric && have.Message == d.Message {
			all[i].Blocks = addBlock(have.Blocks, block)
			return all
		}
	}
	d.Blocks = []int{block}
	return append(all, d)
}

func addBlock(blocks []int, block int) []int {
	if !slices.Contains(blocks, block) {
		blocks = append(blocks, block)
	}
	return blocks
}

func whereOf(t *results.Trial) Where { return Where{t.Scenario, t.Point, t.Mode, t.Variant} }

// inBlocks names the blocks, unless it is all of them.
func inBlocks(blocks []int, all int) string {
	if len(blocks) == all {
		return ""
	}
	names := make([]string, len(blocks))
	for i, b := range blocks {
		names[i] = fmt.Sprint(b)
	}
	word := " (block "
	if len(blocks) > 1 {
		word = " (blocks "
	}
	return word + strings.Join(names, ", ") + ")"
}
