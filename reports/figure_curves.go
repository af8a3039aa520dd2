package reports

import (
	"fmt"
	"math"

	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/reports/chart"
)

const curveReading = "The x axis spreads the tail: each step from p90 to p99 to p99.9 is a tenth of the samples. " +
	"Lower is faster, and a curve that stays flat has no tail. A curve ends where fewer than ten samples lie beyond, or among time-outs. All panels have the same axes."

func pathCurves(s *sheet) (*figure, error) {
	return s.curves("path-curves", "First packet inside the node, by percentile", s.aboutSocket(), results.Path)
}

func connectCurves(s *sheet) (*figure, error) {
	return s.curves("connect-curves", "Time to open a connection, by percentile", "", results.Connect)
}

// curves draws the percentiles of a metric, a panel for each point. first is
// what must be read first.
func (s *sheet) curves(id, title, first, metric string) (*figure, error) {
	f := &figure{ID: s.id(id), Title: title, Reading: first + curveReading, Table: table{Head: curveHead()}}
	var charts []*chart.Chart
	for _, p := range s.points {
		charts = append(charts, s.curve(metric, s.sizeName(p), p))
		f.Table.Rows = append(f.Table.Rows, s.curveNumbers(panel{metric: metric}, p)...)
	}
	chart.Align(charts)
	return f, f.draw(charts)
}

// spread is where the percentile q is on the x axis.
func spread(q float64) float64 { return -math.Log10(1 - q) }

// curve draws the percentile curves of all modes at a point.
func (s *sheet) curve(metric, title string, p results.Point) *chart.Chart {
	c := &chart.Chart{
		Title: title,
		X:     chart.Axis{Label: "percentile", Ticks: percentileTicks()},
		Y:     chart.Axis{Label: "time", Log: true, Format: tickFormat("s")},
	}
	for _, mode := range s.modes {
		line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode)}
		if d := s.cell(p, mode).merged(metric, results.ClassAll); d != nil {
			line.Points = percentilePoints(d)
		}
		c.Series = append(c.Series, line)
	}
	c.Resolve()
	c.X.Min = 0
	return c
}

func percentileTicks() []chart.Tick {
	var ticks []chart.Tick
	for _, q := range []struct {
		q     float64
		label string
	}{{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}, {0.9999, "p99.99"}, {0.99999, "p99.999"}} {
		ticks = append(ticks, chart.Tick{Value: spread(q.q), Label: q.label})
	}
	return ticks
}

// percentilePoints samples a distribution evenly on the spread-out axis.
func percentilePoints(d *stats.Distribution) []chart.Point {
	const perDecade = 30
	end := math.Log10(float64(d.Total()) / stats.Beyond)
	var points []chart.Point
	for i := 1; float64(i) <= end*perDecade; i++ { // the minimum is no percentile
		x := float64(i) / perDecade
		v, ok := d.Quantile(1 - math.Pow(10, -x))
		if !ok || v.AtLeast {
			break
		}
		points = append(points, chart.Point{X: x, Y: seconds(v.NS)})
	}
	return points
}

// tabled are the percentiles in the tables of curves.
func tabled() []percentile {
	return []percentile{{0.01, "p01"}, {0.5, "p50"}, {0.75, "p75"}, {0.9, "p90"}, {0.95, "p95"}, {0.99, "p99"}, {0.999, "p99.9"}}
}

func curveHead() []string {
	head := []string{"point", "mode"}
	for _, p := range tabled() {
		head = append(head, p.suffix)
	}
	return append(head, "samples", "timed out")
}

// curveNumbers are the rows of a table for the curves at a point; the panel's title
// names them if the point alone does not.
func (s *sheet) curveNumbers(of panel, p results.Point) [][]string {
	var rows [][]string
	for _, mode := range s.modes {
		d := s.cell(p, mode).merged(of.metric, of.of())
		if d == nil {
			continue
		}
		name := s.sizeName(p)
		if of.title != "" {
			name = of.title + ", " + name
		}
		row := []string{name, s.label(mode)}
		for _, q := range tabled() {
			row = append(row, quoted(d, q.q))
		}
		rows = append(rows, append(row, thousands(d.Total()), thousands(d.Censored())))
	}
	return rows
}

// quoted writes a quantile if it is the median or has enough samples.
func quoted(d *stats.Distribution, q float64) string {
	v, ok := d.Quantile(q)
	switch {
	case !ok || q != 0.5 && !d.Supports(q):
		return dash
	case v.AtLeast:
		return "> " + format(Number(seconds(v.NS)), "s")
	}
	return format(Number(seconds(v.NS)), "s")
}

// pathPositions draws the first packet's time against the place of its
// Service among the rules.
func pathPositions(s *sheet) (*figure, error) {
	f := &figure{
		ID: s.id("path-positions"), Title: "First packet inside the node, by the Service's place among the rules",
		Reading: s.aboutSocket() + "Services are sorted by the order in which the kernel compares a new packet with them, and cut into tenths: 1 is compared first. " +
			"A line that rises belongs to a mode that tries one rule after the other; there, a packet to a pod IP, which fits no rule, walks past all of them as one to the last Service does. " +
			"A mode that looks Services up in a table has no such order; its three points are the first, middle and last Services by address, and should be level. Points are medians of all blocks.",
		Table: table{Head: []string{"point", "mode", "first Services", "middle Services", "last Services", "pod IPs", "tenth 1", "tenth 5", "tenth 10"}},
	}
	var charts []*chart.Chart
	for _, p := range s.points {
		c := &chart.Chart{Title: s.sizeName(p), X: chart.Axis{Label: "tenth of the rules", Min: 0.7, Max: 10.3}, Y: chart.Axis{Label: "time", Log: true, Format: tickFormat("s")}}
		for i := 1; i <= 10; i++ {
			c.X.Ticks = append(c.X.Ticks, chart.Tick{Value: float64(i), Label: fmt.Sprint(i)})
		}
		for _, mode := range s.modes {
			c.Series = append(c.Series, chart.Series{
				Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Marked, Points: s.positions(p, mode),
			})
			if row := s.positionRow(p, mode); row != nil {
				f.Table.Rows = append(f.Table.Rows, row)
			}
		}
		charts = append(charts, c)
	}
	chart.Align(charts)
	return f, f.draw(charts)
}

// positions returns the medians of path by tenth of the rules, or of the first,
// middle and last Services where the rules have no order.
func (s *sheet) positions(p results.Point, mode string) []chart.Point {
	var tenths, ends []chart.Point
	for i := 1; i <= 10; i++ {
		if v, ok := s.median(p, mode, fmt.Sprintf("d%02d", i)); ok {
			tenths = append(tenths, chart.Point{X: float64(i), Y: v})
		}
	}
	if len(tenths) > 0 {
		return tenths
	}
	for _, at := range []struct {
		class string
		x     float64
	}{{results.ClassFirst, 1}, {results.ClassMiddle, 5.5}, {results.ClassLast, 10}} {
		if v, ok := s.median(p, mode, at.class); ok {
			ends = append(ends, chart.Point{X: at.x, Y: v})
		}
	}
	return ends
}

// median returns the median of path for a class of Services in seconds.
func (s *sheet) median(p results.Point, mode, class string) (float64, bool) {
	d := s.cell(p, mode).merged(results.Path, class)
	if d == nil || !d.Supports(0.5) {
		return 0, false
	}
	v, ok := d.Quantile(0.5)
	return seconds(v.NS), ok && !v.AtLeast
}

func (s *sheet) positionRow(p results.Point, mode string) []string {
	row := []string{s.sizeName(p), s.label(mode)}
	any := false
	for _, class := range []string{results.ClassFirst, results.ClassMiddle, results.ClassLast, results.ClassDirect, "d01", "d05", "d10"} {
		v, ok := s.median(p, mode, class)
		any = any || ok
		text := dash
		if ok {
			text = format(Number(v), "s")
		}
		row = append(row, text)
	}
	if !any {
		return nil
	}
	return row
}
