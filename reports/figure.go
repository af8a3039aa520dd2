package reports

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/reports/chart"
)

// figure is a group of charts that answer one question, with the numbers they
// show as a table.
type figure struct {
	ID, Title string
	// Reading says how to read the charts.
	Reading string
	Charts  []template.HTML
	// Wide charts take a row of their own.
	Wide  bool
	Table table
}

// table is a plain table of text.
type table struct {
	Head []string
	Rows [][]string
	// Prose means that cells are sentences, which may be broken into lines.
	Prose bool
}

// The sizes of charts in CSS pixels.
const (
	panelWidth, panelHeight = 360, 290
	wideWidth, wideHeight   = 960, 270
	staleHeight             = 150
)

// draw turns charts into SVG and leaves out those without data.
func (f *figure) draw(charts []*chart.Chart) error {
	for i, c := range charts {
		if c.Empty() {
			continue
		}
		c.ID = fmt.Sprintf("%s-%d", f.ID, i+1)
		if c.Width == 0 {
			c.Width, c.Height = panelWidth, panelHeight
		}
		if c.Description == "" {
			c.Description = f.Title + ". " + c.Title + ". The table below has the numbers."
		}
		svg, err := c.SVG()
		if err != nil {
			return err
		}
		// The chart package escapes every text it is given.
		f.Charts = append(f.Charts, template.HTML(svg)) //nolint:gosec // see above
	}
	return nil
}

// Layout is the CSS class that arranges the charts.
func (f figure) Layout() string {
	switch {
	case f.Wide:
		return "wide"
	case len(f.Charts) == 2, len(f.Charts) == 4:
		return "two"
	}
	return ""
}

// builder makes one figure of a scenario; nil where there is nothing to show.
type builder func(*sheet) (*figure, error)

// sheet is what the builders of a scenario's figures draw from.
type sheet struct {
	*scenario
	analysis *analysis
	rows     []Row
}

// figures returns the figures of a scenario in the order of the report.
func (s *sheet) figures() ([]figure, error) {
	var all []figure
	for _, build := range []builder{
		pathScaling, pathCurves, pathPositions, connectScaling, connectCurves, httpFigure,
		addFigure, removeFigure, kindsFigure, rateFigure, podComesFigure, podGoesFigure, churnFigure, flowsFigure, nativeFigure, coldStartFigure, restartFigure, costFigure, rulesFigure, blocksFigure,
	} {
		f, err := build(s)
		if err != nil {
			return nil, fmt.Errorf("figures of scenario %s: %w", s.Name, err)
		}
		if f != nil && (len(f.Charts) > 0 || len(f.Table.Rows) > 0) {
			all = append(all, *f)
		}
	}
	return all, nil
}

// id makes an id that is unique within the page.
func (s *sheet) id(name string) string { return slug(s.Name) + "-" + name }

// slug keeps what an id may consist of.
func slug(name string) string {
	out := []rune(name)
	for i, r := range out {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			out[i] = '-'
		}
	}
	return "s-" + string(out)
}

// row returns a number of the scenario; nil if there is none.
func (s *sheet) row(p results.Point, mode, metric string) *Row {
	return findRow(s.rows, s.Name, p, mode, metric)
}

// tickFormat labels ticks in a unit of results.Scalar.
func tickFormat(unit string) func(float64) string {
	return func(v float64) string {
		var scales []scale
		switch unit {
		case "s":
			scales = scalesOf(unit)
		case "bytes": // by powers of ten, as the axis
			scales = []scale{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}
		default:
			return chart.Compact(v)
		}
		s := scaleOf(v, scales)
		return chart.Compact(v/s.size) + " " + s.name
	}
}

// scaleAxis is the axis on which a scenario's points differ, and the points in
// groups that differ on no other.
type scaleAxis struct {
	label  string
	value  func(results.Point) int
	groups []scaleGroup
}

type scaleGroup struct {
	// name is what the points have in common, "" if it is all they have.
	name   string
	points []results.Point
}

// axis returns the scale axis: Services where those differ, else endpoints.
func (s *scenario) axis() scaleAxis {
	byServices := func(p results.Point) int { return p.Services }
	byEndpoints := func(p results.Point) int { return p.Endpoints }
	axis := scaleAxis{label: "Services", value: byServices}
	other, thing := byEndpoints, "endpoint"
	if distinct(s.points, byServices) < 2 && distinct(s.points, byEndpoints) > 1 {
		axis.label, axis.value = "endpoints per Service", byEndpoints
		other, thing = byServices, "Service"
	}
	for _, p := range s.points {
		var same []string
		if distinct(s.points, other) > 1 {
			same = append(same, count(other(p), thing))
		}
		if distinct(s.points, results.Point.Extras) > 1 {
			same = append(same, p.Extras())
		}
		name := strings.Join(same, ", ")
		i := slices.IndexFunc(axis.groups, func(g scaleGroup) bool { return g.name == name })
		if i < 0 {
			axis.groups = append(axis.groups, scaleGroup{name: name})
			i = len(axis.groups) - 1
		}
		axis.groups[i].points = append(axis.groups[i].points, p)
	}
	return axis
}

func distinct[T comparable](points []results.Point, of func(results.Point) T) int {
	seen := map[T]bool{}
	for _, p := range points {
		seen[of(p)] = true
	}
	return len(seen)
}
