// Package chart draws the figures of a report as SVG that belongs to the page
// around it: text and axes take the page's colours, so that dark mode and
// print work; series take the CSS variables --series-0, --series-1, ... It
// wraps gonum.org/v1/plot, whose panics become errors.
package chart

import (
	"bytes"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is one set of axes with its series.
type Chart struct {
	// ID is unique within the page; the title's and description's ids are
	// made from it.
	ID string
	// Title is drawn above the axes; Description says the same as the chart
	// to those who cannot see it.
	Title, Description string
	X, Y               Axis
	Series             []Series
	// Marks are positions on the X axis of events, drawn as ticks along it;
	// MarksName is their legend.
	Marks     []float64
	MarksName string
	// Bands are stretches of the X axis, drawn behind everything.
	Bands []Band
	// Width and Height are in CSS pixels at full size.
	Width, Height float64
}

// Band is a stretch of the X axis in which something was the case. Bands with the
// same name share an entry of the legend.
type Band struct {
	From, To float64
	Name     string
	// Style is the number of its colour.
	Style int
}

// Axis describes one axis.
type Axis struct {
	Label string
	// Log spaces the axis by powers of ten; values that are not positive
	// are left out, as a logarithm has no place for them.
	Log bool
	// Min and Max are the ends of the axis. If they are equal, they are
	// taken from the data.
	Min, Max float64
	// Ticks are labelled positions; nil chooses them.
	Ticks []Tick
	// Format writes the label of a chosen tick; nil means Compact.
	Format func(float64) string
}

// Tick is a labelled position on an axis.
type Tick struct {
	Value float64
	Label string
}

// Kind is how a series is drawn.
type Kind int

// The kinds of series.
const (
	// Line joins the points, without markers.
	Line Kind = iota
	// Marked joins the points and marks each; for few points.
	Marked
	// Step is a staircase: a value holds until the next point.
	Step
)

// Series is one named sequence of points, ascending in X.
type Series struct {
	Name string
	// Style is the number of the series' colour, dash and marker; the same
	// thing has the same style in every chart.
	Style  int
	Kind   Kind
	Points []Point
}

// Point is a value, with an interval if Lo < Hi.
type Point struct{ X, Y, Lo, Hi float64 }

// SVG draws the chart. Drawn twice, the bytes are the same.
func (c *Chart) SVG() (svg string, err error) {
	// gonum/plot panics on values its scales cannot take.
	defer func() {
		if r := recover(); r != nil {
			svg, err = "", fmt.Errorf("draw chart %q: %v", c.ID, r)
		}
	}()
	drawn := *c
	drawn.Series = c.drawable()
	drawn.Resolve()
	for _, a := range []*Axis{&drawn.X, &drawn.Y} {
		if !a.accepts(a.Min) || !a.accepts(a.Max) || a.Min >= a.Max {
			return "", fmt.Errorf("draw chart %q: an axis cannot go from %g to %g", c.ID, a.Min, a.Max)
		}
	}

	p := plot.New()
	p.BackgroundColor = nil
	drawn.X.apply(&p.X)
	drawn.Y.apply(&p.Y)
	p.Y.LineStyle.Width = 0
	p.Y.Tick.Length = 0
	p.Add(bands(drawn.Bands), grid{})
	drawn.addMarks(p)
	for _, s := range drawn.Series {
		if err := addSeries(p, s); err != nil {
			return "", fmt.Errorf("draw series %q of chart %q: %w", s.Name, c.ID, err)
		}
	}

	canvas := vgsvg.New(vg.Length(c.Width), vg.Length(c.Height))
	area := draw.New(canvas)
	area.Max.Y -= drawn.heading(area)
	area.Max.X -= rightMargin
	p.Draw(area)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("write chart %q: %w", c.ID, err)
	}
	return drawn.adapt(b.String()), nil
}

// Empty reports whether there is nothing to draw.
func (c *Chart) Empty() bool {
	for _, s := range c.drawable() {
		if len(s.Points) > 0 {
			return false
		}
	}
	return true
}

// drawable returns the series without the points that the axes cannot show.
func (c *Chart) drawable() []Series {
	series := make([]Series, 0, len(c.Series))
	for _, s := range c.Series {
		var points []Point
		for _, p := range s.Points {
			if !c.X.accepts(p.X) || !c.Y.accepts(p.Y) {
				continue
			}
			if !c.Y.accepts(p.Lo) || !c.Y.accepts(p.Hi) {
				p.Lo, p.Hi = 0, 0
			}
			points = append(points, p)
		}
		if len(points) > 0 {
			s.Points = points
			series = append(series, s)
		}
	}
	return series
}

// Resolve fixes the ends of both axes from the data where they are open. On a
// logarithmic axis, intervals do not take the room of the points: what goes
// further than twice beyond them is cut off at the edge.
func (c *Chart) Resolve() {
	x, y := nothing(), nothing()
	series := c.drawable()
	for _, s := range series {
		for _, p := range s.Points {
			x.include(p.X)
			y.include(p.Y)
		}
	}
	least, most := math.Inf(-1), math.Inf(1)
	if c.Y.Log {
		least, most = y.min/2, y.max*2
	}
	for _, s := range series {
		for _, p := range s.Points {
			if p.Lo < p.Hi {
				y.include(max(p.Lo, least))
				y.include(min(p.Hi, most))
			}
		}
	}
	c.X.resolve(x)
	c.Y.resolve(y)
}

// Align gives charts that stand side by side the same axes, so that they can
// be compared by eye.
func Align(charts []*Chart) {
	var x, y []*Axis
	for _, c := range charts {
		if !c.Empty() {
			c.Resolve()
			x, y = append(x, &c.X), append(y, &c.Y)
		}
	}
	align(x)
	align(y)
}

func align(axes []*Axis) {
	all := nothing()
	for _, a := range axes {
		all.include(a.Min)
		all.include(a.Max)
	}
	for _, a := range axes {
		a.Min, a.Max = all.min, all.max
	}
}

// extent is a range that grows.
type extent struct{ min, max float64 }

func nothing() extent { return extent{math.Inf(1), math.Inf(-1)} }

func (e *extent) include(v float64) { e.min, e.max = min(e.min, v), max(e.max, v) }
