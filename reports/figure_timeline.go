package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/reports/chart"
)

// churnFigure draws connection latency over time during churn, at the
// largest point that has it, in the first block that all modes share.
func churnFigure(s *sheet) (*figure, error) {
	f := &figure{
		ID: s.id("churn"), Title: "Connections while endpoints change", Wide: true,
		Reading: "New connections to Services that are changed, to others all over the rules and to the first and the last, in one block. Ticks at the bottom are API writes. " +
			"The grey line is the median of each interval, the coloured one its slowest connection; spikes after ticks are the price of programming the rules. " +
			"Connections that failed or timed out are no latencies: the intervals in which there were any are shaded, and the table counts them. Its percentiles are those of Services that do not change. " +
			"The second panel of a mode counts API writes that traffic does not obey yet, of those that were watched: what waits there is stale. All panels of a kind have the same axes.",
		Table: table{Head: []string{"where", "mode", "p50 of all blocks", "p99 of all blocks", "slowest", "connections", "failed or timed out", "API writes"}},
	}
	for _, p := range slices.Backward(s.points) {
		block, ok := s.churnBlock(p)
		if !ok {
			continue
		}
		var connections, waiting, charts []*chart.Chart
		for _, mode := range s.modes {
			c := s.cell(p, mode)
			if c == nil {
				continue
			}
			t, series := c.churnSeries(block)
			if series == nil {
				continue
			}
			connections, waiting = append(connections, s.churnChart(t, series)), append(waiting, s.staleChart(t, series))
			charts = append(charts, connections[len(connections)-1], waiting[len(waiting)-1])
			f.Table.Rows = append(f.Table.Rows, churnRow(t, series, c.merged(results.ConnectChurn, results.ClassAll)))
		}
		chart.Align(connections)
		chart.Align(waiting)
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
	c.Bands = append(frozenBands(t, series), errorBands(series)...)
	c.Resolve()
	c.X.Min, c.X.Max = 0, math.Ceil(end*1e3)/1e3
	return c
}

// errorBands are the intervals in which connections failed.
func errorBands(series *results.Series) []chart.Band {
	var all []chart.Band
	for i, b := range series.Bins {
		if b.Errors == 0 {
			continue
		}
		from, to := seconds(int64(i)*series.Width), seconds(int64(i+1)*series.Width)
		if n := len(all); n > 0 && all[n-1].To == from {
			all[n-1].To = to
			continue
		}
		all = append(all, chart.Band{From: from, To: to, Name: "connections failed", Style: chart.Alarm})
	}
	return all
}

// frozenBands is the time in which the proxy was frozen, if it was.
func frozenBands(t *results.Trial, series *results.Series) []chart.Band {
	for _, p := range t.Phases {
		if p.Name == results.PhaseFreeze {
			return []chart.Band{{From: seconds(p.Start - series.Start), To: seconds(p.End - series.Start), Name: "proxy frozen", Style: chart.Neutral}}
		}
	}
	return nil
}

// staleChart counts over time the changes that were written and that traffic did
// not obey yet.
func (s *sheet) staleChart(t *results.Trial, series *results.Series) *chart.Chart {
	c := &chart.Chart{
		Title: fmt.Sprintf("%s, writes that traffic does not obey yet", s.label(t.Mode)),
		Width: wideWidth, Height: staleHeight,
		X: chart.Axis{Label: "time", Format: func(v float64) string { return chart.Compact(v) + " s" }},
		Y: chart.Axis{Label: "API writes", Format: whole},
	}
	end := seconds(int64(len(series.Bins)) * series.Width)
	line := chart.Series{Style: s.analysis.modeStyle(t.Mode), Kind: chart.Step, Points: []chart.Point{{}}}
	waiting := 0
	for _, e := range waits(t.Changes) {
		if at := seconds(e.at - series.Start); at >= 0 && at <= end {
			waiting += e.by
			line.Points = append(line.Points, chart.Point{X: at, Y: float64(waiting)})
		}
	}
	line.Points = append(line.Points, chart.Point{X: end, Y: float64(waiting)})
	c.Series = []chart.Series{line}
	c.Bands = frozenBands(t, series)
	c.Resolve()
	c.X.Min, c.X.Max, c.Y.Min = 0, math.Ceil(end*1e3)/1e3, 0
	c.Y.Max = max(c.Y.Max, 1)
	return c
}

// whole writes whole numbers alone.
func whole(v float64) string {
	if v != math.Trunc(v) {
		return ""
	}
	return chart.Compact(v)
}

// wait is a moment at which one change more or less waits to be obeyed.
type wait struct {
	at int64
	by int
}

// waits are those of all changes that were watched, in the order of time.
func waits(changes []results.Change) []wait {
	var all []wait
	for _, ch := range changes {
		if took, ok := latency(ch); ok && ch.Sent != 0 {
			if took > 0 {
				all = append(all, wait{ch.Sent, 1}, wait{ch.Sent + took, -1})
			}
		}
	}
	slices.SortFunc(all, func(a, b wait) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	return all
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
