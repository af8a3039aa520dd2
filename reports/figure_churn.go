package reports

import (
	"fmt"
	"math"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/reports/chart"
)

func addFigure(s *sheet) (*figure, error) {
	return s.programming("programming-add", "From an API write to the first connection that reaches a new endpoint", "",
		panel{metric: results.ProgrammingAdd})
}

func removeFigure(s *sheet) (*figure, error) {
	return s.programming("programming-remove", "From an API write to the last connection that reaches a removed endpoint",
		" A change after which no removed endpoint answered stands at the left edge.", panel{metric: results.ProgrammingRemove})
}

func podComesFigure(s *sheet) (*figure, error) {
	return s.programming("programming-pod-comes", "From an API write to the first connection that reaches a new pod, and the parts of that",
		" Until the pod is ready and in an EndpointSlice it is Kubernetes that takes the time, in every mode; the last part is the mode's.",
		panel{results.PodTotal, "all"}, panel{results.PodReady, "until ready"}, panel{results.PodSlice, "then in an EndpointSlice"},
		panel{results.PodTraffic, "then reached"})
}

func podGoesFigure(s *sheet) (*figure, error) {
	return s.programming("programming-pod-goes", "From an API write to the last connection that reaches an old pod, and the part of the mode",
		" A change after which no old pod answered stands at the left edge. The part of the mode begins when EndpointSlices lead elsewhere.",
		panel{results.PodRemove, "all"}, panel{results.PodLeave, "the part of the mode"}, panel{results.PodGap, "nobody answers"})
}

// resolution is the smallest programming latency that is drawn: half the
// interval between the probes.
const resolution = 0.5e-3

// programming draws the share of changes that traffic had seen after a time.
func (s *sheet) programming(id, title, more string, panels ...panel) (*figure, error) {
	f := &figure{
		ID: s.id(id), Title: title,
		Reading: "How many of the changes had reached traffic after a time: further left is faster, and steeper is steadier. " +
			"Time is logarithmic. A curve that does not reach 100% has changes that were given up at the time-out." + more,
		Table: table{Head: curveHead()},
	}
	var charts []*chart.Chart
	for _, p := range s.points {
		for _, panel := range panels {
			charts = append(charts, s.staircases(p, panel))
			f.Table.Rows = append(f.Table.Rows, s.curveNumbers(panel.metric, panel.title, p)...)
		}
	}
	chart.Align(charts)
	for _, c := range charts {
		extend(c)
	}
	return f, f.draw(charts)
}

// staircases are the cumulative distributions of a metric at a point, one for each
// mode.
func (s *sheet) staircases(p results.Point, of panel) *chart.Chart {
	c := &chart.Chart{
		Title: s.sizeName(p),
		X:     chart.Axis{Label: "time since the write", Log: true, Format: tickFormat("s")},
		Y:     chart.Axis{Label: "share of changes", Min: 0, Max: 1, Format: func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) }},
	}
	if of.title != "" {
		c.Title += ", " + of.title
		c.X.Label = "time"
	}
	for _, mode := range s.modes {
		line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Step}
		if d := s.cell(p, mode).merged(of.metric, results.ClassAll); d != nil {
			line.Points = shares(d)
		}
		c.Series = append(c.Series, line)
	}
	return c
}

// shares is the cumulative distribution as a staircase that starts at 0.
func shares(d *stats.Distribution) []chart.Point {
	const most = 250
	values := d.Values()
	every := 1 + len(values)/most
	var points []chart.Point
	for i, v := range values {
		if i%every != 0 && i != len(values)-1 {
			continue
		}
		at := max(seconds(v), resolution)
		if len(points) == 0 {
			points = append(points, chart.Point{X: at, Y: 0})
		}
		points = append(points, chart.Point{X: at, Y: d.Share(v)})
	}
	return points
}

// extend carries every staircase on to the right edge.
func extend(c *chart.Chart) {
	for i, s := range c.Series {
		if n := len(s.Points); n > 0 {
			c.Series[i].Points = append(s.Points, chart.Point{X: c.X.Max, Y: s.Points[n-1].Y})
		}
	}
}

// churnFigure draws connection latency over time during churn, at the
// largest point that has it, in the first block that all modes share.
func churnFigure(s *sheet) (*figure, error) {
	f := &figure{
		ID: s.id("churn"), Title: "Connections while endpoints change", Wide: true,
		Reading: "New connections to Services all over the rules while the population is churned, in one block. Ticks at the bottom are API writes. " +
			"The grey line is the median of each interval, the coloured one its slowest connection; spikes after ticks are the price of programming the rules. " +
			"Connections that failed or timed out are not drawn; the table counts them. All panels have the same axes.",
		Table: table{Head: []string{"where", "mode", "p50 of all blocks", "p99 of all blocks", "slowest", "connections", "failed or timed out", "API writes"}},
	}
	for _, p := range slices.Backward(s.points) {
		block, ok := s.churnBlock(p)
		if !ok {
			continue
		}
		var charts []*chart.Chart
		for _, mode := range s.modes {
			c := s.cell(p, mode)
			if c == nil {
				continue
			}
			t, series := c.churnSeries(block)
			if series == nil {
				continue
			}
			charts = append(charts, s.churnChart(t, series))
			f.Table.Rows = append(f.Table.Rows, churnRow(t, series, c.merged(results.ConnectChurn, results.ClassAll)))
		}
		chart.Align(charts)
		return f, f.draw(charts)
	}
	return nil, nil
}

// churnBlock returns the first block in which most modes have a series.
func (s *sheet) churnBlock(p results.Point) (block int, ok bool) {
	have := map[int]int{}
	for _, mode := range s.modes {
		if c := s.cell(p, mode); c != nil {
			for _, t := range c.trials {
				if _, series := c.churnSeries(t.Block); series != nil {
					have[t.Block]++
				}
			}
		}
	}
	for b, n := range have {
		if !ok || n > have[block] || n == have[block] && b < block {
			block, ok = b, true
		}
	}
	return block, ok
}

// churnSeries returns the series of connections during churn in a block, with
// its trial.
func (c *cell) churnSeries(block int) (*results.Trial, *results.Series) {
	for _, t := range c.trials {
		for i := range t.Series {
			if t.Block == block && t.Series[i].Metric == results.ConnectChurn && len(t.Series[i].Bins) > 0 {
				return t, &t.Series[i]
			}
		}
	}
	return nil, nil
}

func (s *sheet) churnChart(t *results.Trial, series *results.Series) *chart.Chart {
	c := &chart.Chart{
		Title: fmt.Sprintf("%s, %s, block %d", s.label(t.Mode), s.sizeName(t.Point), t.Block),
		Width: wideWidth, Height: wideHeight,
		X:         chart.Axis{Label: "time", Format: func(v float64) string { return chart.Compact(v) + " s" }},
		Y:         chart.Axis{Label: "latency", Log: true, Format: tickFormat("s")},
		MarksName: "API write",
	}
	p50 := chart.Series{Name: "p50", Style: chart.Neutral}
	// An interval has too few connections for a percentile above the median.
	slowest := chart.Series{Name: "slowest", Style: s.analysis.modeStyle(t.Mode)}
	for i, b := range series.Bins {
		if b.Count == 0 {
			continue
		}
		at := seconds(int64(i) * series.Width)
		p50.Points = append(p50.Points, chart.Point{X: at, Y: seconds(b.P50)})
		slowest.Points = append(slowest.Points, chart.Point{X: at, Y: seconds(b.Max)})
	}
	c.Series = []chart.Series{slowest, p50}
	end := seconds(int64(len(series.Bins)) * series.Width)
	for _, ch := range t.Changes {
		if at := seconds(ch.Sent - series.Start); at >= 0 && at <= end {
			c.Marks = append(c.Marks, at)
		}
	}
	c.Resolve()
	c.X.Min, c.X.Max = 0, math.Ceil(end*1e3)/1e3
	return c
}

func churnRow(t *results.Trial, series *results.Series, d *stats.Distribution) []string {
	var worst, connections, errors int64
	for _, b := range series.Bins {
		worst = max(worst, b.Max)
		connections += b.Count
		errors += b.Errors
	}
	p50, p99 := dash, dash
	if d != nil {
		p50, p99 = quoted(d, 0.5), quoted(d, 0.99)
	}
	return []string{
		fmt.Sprintf("%s, block %d", pointName(t.Point), t.Block), results.ModeName(t.Mode, t.Variant), p50, p99,
		format(Number(seconds(worst)), "s"), thousands(connections), thousands(errors), thousands(int64(len(t.Changes))),
	}
}
