package reports

import (
	"slices"
	"strconv"
	"strings"

	"svcbench/internal/results"
	"svcbench/reports/chart"
)

// rateFigure draws programming latency against the rate of changes, where the
// scenario tries several.
func rateFigure(s *sheet) (*figure, error) {
	f := &figure{
		ID: s.id("rates"), Title: "From an API write to the first connection that obeys it, by the rate of changes",
		Reading: "A level line says that the mode keeps up. Where a line rises steeply, changes wait for one another. " + logLog,
		Table:   table{Head: []string{"what", "point", "mode", "rate", "estimate", "95% interval", "samples", "timed out"}},
	}
	var charts []*chart.Chart
	for _, p := range s.points {
		for _, q := range []percentile{{0.5, "p50"}, {0.9, "p90"}} {
			charts = append(charts, s.rateChart(f, p, q))
		}
	}
	if len(f.Table.Rows) == 0 {
		return nil, nil
	}
	chart.Align(charts)
	return f, f.draw(charts)
}

// rateChart draws one percentile at a point, and adds its numbers to the table.
func (s *sheet) rateChart(f *figure, p results.Point, q percentile) *chart.Chart {
	c := &chart.Chart{
		Title: s.sizeName(p) + ", " + q.suffix,
		X:     chart.Axis{Label: "changes per second", Log: true}, Y: chart.Axis{Label: "time", Log: true, Format: tickFormat("s")},
	}
	for _, mode := range s.modes {
		line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Marked}
		for _, rate := range s.cell(p, mode).rates() {
			m := s.cell(p, mode).samples[sampleKey{results.ProgrammingAdd, rateClass(rate)}].measure(q)
			if m == nil || !Number(m.estimate.Estimate).Known() {
				continue
			}
			r := Row{Estimate: Number(m.estimate.Estimate), Lo: Number(m.estimate.Lo), Hi: Number(m.estimate.Hi), Unit: m.unit, AtLeast: m.atLeast}
			f.Table.Rows = append(f.Table.Rows, []string{
				q.suffix, s.sizeName(p), s.label(mode), chart.Compact(rate) + "/s", estimate(r), interval(r), thousands(m.samples), thousands(m.censored),
			})
			if !m.atLeast {
				line.Points = append(line.Points, chart.Point{X: rate, Y: float64(r.Estimate), Lo: float64(r.Lo), Hi: float64(r.Hi)})
			}
		}
		c.Series = append(c.Series, line)
	}
	return c
}

// rates are the rates of changes that a cell tells apart, the lowest first.
func (c *cell) rates() []float64 {
	if c == nil {
		return nil
	}
	var rates []float64
	for _, class := range c.changeClasses(results.ProgrammingAdd) {
		text, ok := strings.CutPrefix(class, "rate-")
		if rate, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", "."), 64); ok && err == nil {
			rates = append(rates, rate)
		}
	}
	slices.Sort(rates)
	return rates
}
