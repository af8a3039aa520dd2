package reports

import (
	"fmt"
	"slices"
	"strings"

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

// kindsFigure draws the same for every kind of change, at the largest point.
func kindsFigure(s *sheet) (*figure, error) {
	if len(s.points) == 0 {
		return nil, nil
	}
	largest := s.points[len(s.points)-1]
	var panels []panel
	for _, metric := range []struct{ name, title string }{
		{results.ProgrammingAdd, "new reached"}, {results.ProgrammingRemove, "old left"},
	} {
		for _, class := range s.changeKinds(largest, metric.name) {
			panels = append(panels, panel{metric: metric.name, title: class + ": " + metric.title, class: class})
		}
	}
	if len(panels) == 0 {
		return nil, nil
	}
	only := *s.scenario
	only.points = []results.Point{largest}
	at := &sheet{scenario: &only, analysis: s.analysis, rows: s.rows}
	return at.programming("programming-kinds", "The same by kind of change, at "+pointName(largest), "", panels...)
}

// changeKinds are the kinds of changes that any mode has at a point.
func (s *sheet) changeKinds(p results.Point, metric string) []string {
	var kinds []string
	for _, mode := range s.modes {
		if c := s.cell(p, mode); c != nil {
			for _, class := range c.changeClasses(metric) {
				if !strings.HasPrefix(class, "rate-") && !slices.Contains(kinds, class) {
					kinds = append(kinds, class)
				}
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

func podComesFigure(s *sheet) (*figure, error) {
	return s.programming("programming-pod-comes", "From an API write to the first connection that reaches a new pod, and the parts of that",
		" Until the pod is ready and in an EndpointSlice it is Kubernetes that takes the time, in every mode; the last part is the mode's.",
		panel{metric: results.PodTotal, title: "all"}, panel{metric: results.PodReady, title: "until ready"}, panel{metric: results.PodSlice, title: "then in an EndpointSlice"},
		panel{metric: results.PodTraffic, title: "then reached"})
}

func podGoesFigure(s *sheet) (*figure, error) {
	return s.programming("programming-pod-goes", "From an API write to the last connection that reaches an old pod, and the part of the mode",
		" A change after which no old pod answered stands at the left edge. The part of the mode begins when EndpointSlices lead elsewhere.",
		panel{metric: results.PodRemove, title: "all"}, panel{metric: results.PodLeave, title: "the part of the mode"}, panel{metric: results.PodGap, title: "nobody answers"})
}

func flowsFigure(s *sheet) (*figure, error) {
	return s.programming("flows", "From an API write to the last answer of a removed endpoint on a kept connection",
		" Kept connections may go on as long as the pod does. The second panel is how long they got no answer before they led elsewhere.",
		panel{metric: results.FlowStale, title: "answered by the old one"}, panel{metric: results.FlowSilence, title: "not answered"})
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
			f.Table.Rows = append(f.Table.Rows, s.curveNumbers(panel, p)...)
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
	if of.class != "" { // all at one point, which the figure names
		c.Title = of.title
	}
	for _, mode := range s.modes {
		line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Step}
		if d := s.cell(p, mode).merged(of.metric, of.of()); d != nil {
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
