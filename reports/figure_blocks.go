package reports

import (
	"fmt"
	"maps"
	"slices"

	"svcbench/internal/results"
	"svcbench/reports/chart"
)

// blocksFigure draws the values of single blocks at the largest point: what
// intervals and ratios come from.
func blocksFigure(s *sheet) (*figure, error) {
	if len(s.points) == 0 {
		return nil, nil
	}
	f := &figure{
		ID: s.id("blocks"), Title: "The same number, block by block",
		Reading: "What the intervals come from, at the largest size. Modes that move up and down together met a machine that changed its speed, " +
			"which the ratios within blocks do not feel. A block far from the others had other company. Time is logarithmic.",
		Table: table{Head: []string{"what", "at", "mode", "block by block"}},
	}
	at := s.points[len(s.points)-1]
	var charts []*chart.Chart
	for _, p := range []panel{{metric: "path.p50", title: "First packet in the node, median"}, {metric: "connect.p99", title: "New connection, 99th percentile"}, {metric: results.ColdStart, title: "Cold start"}} {
		c := &chart.Chart{
			Title: p.title + ", " + s.sizeName(at),
			X:     chart.Axis{Label: "block"}, Y: chart.Axis{Label: "time", Log: true, Format: tickFormat("s")},
		}
		most := 0
		for _, mode := range s.modes {
			r := s.row(at, mode, p.metric)
			if r == nil {
				continue
			}
			line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Marked}
			for _, block := range slices.Sorted(maps.Keys(r.blocks)) {
				most = max(most, block)
				if !r.bounds[block] {
					line.Points = append(line.Points, chart.Point{X: float64(block), Y: r.blocks[block]})
				}
			}
			c.Series = append(c.Series, line)
			f.Table.Rows = append(f.Table.Rows, []string{p.title, s.sizeName(at), s.label(mode), r.blockByBlock()})
		}
		if most < 2 { // a single block is no sequence
			continue
		}
		every := 1 + most/12
		for block := 1; block <= most; block += every {
			c.X.Ticks = append(c.X.Ticks, chart.Tick{Value: float64(block), Label: fmt.Sprint(block)})
		}
		c.X.Min, c.X.Max = 0.7, float64(most)+0.3
		charts = append(charts, c)
	}
	if len(charts) == 0 {
		return nil, nil
	}
	return f, f.draw(charts)
}
