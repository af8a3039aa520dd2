package chart

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes in CSS pixels.
const (
	titleSize   = 13
	labelSize   = 11
	tickSize    = 11
	rightMargin = 14
	lineGap     = 7
	swatch      = 22
)

// Styles is the number of styles a series can have. Neutral is grey, for what
// belongs to no mode.
const (
	Styles  = 8
	Neutral = Styles - 1
	// Alarm is red, for what should not be.
	Alarm = 0
)

// style is the looks of a series. Colours are told apart by people who see
// fewer of them (Okabe and Ito, Color Universal Design, 2008); dash and
// marker do without colour.
type style struct {
	color  color.NRGBA
	dashes []vg.Length
	glyph  draw.GlyphDrawer
}

func styleOf(i int) style {
	return [Styles]style{
		{color.NRGBA{0xd5, 0x5e, 0x00, 0xff}, nil, draw.CircleGlyph{}},                         // vermilion
		{color.NRGBA{0x00, 0x9e, 0x73, 0xff}, []vg.Length{8, 3}, draw.SquareGlyph{}},           // bluish green
		{color.NRGBA{0x00, 0x72, 0xb2, 0xff}, []vg.Length{5, 2}, draw.PyramidGlyph{}},          // blue
		{color.NRGBA{0xcc, 0x79, 0xa7, 0xff}, []vg.Length{2, 2}, draw.BoxGlyph{}},              // reddish purple
		{color.NRGBA{0xe6, 0x9f, 0x00, 0xff}, []vg.Length{8, 2, 2, 2}, draw.RingGlyph{}},       // orange
		{color.NRGBA{0x56, 0xb4, 0xe9, 0xff}, []vg.Length{12, 3}, draw.TriangleGlyph{}},        // sky blue
		{color.NRGBA{0xb0, 0xa0, 0x20, 0xff}, []vg.Length{6, 2, 1, 2, 1, 2}, draw.PlusGlyph{}}, // olive
		{color.NRGBA{0x80, 0x88, 0x90, 0xff}, nil, draw.CrossGlyph{}},                          // grey
	}[((i%Styles)+Styles)%Styles]
}

// Color returns the colour of a style in light mode as CSS, #rrggbb.
func Color(i int) string { return hex(styleOf(i).color) }

func (s style) line() draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: 1.8, Dashes: s.dashes}
}

func (s style) marker() draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.color, Radius: 3.2, Shape: s.glyph}
}

// sans is the face that measures text. The page shows its own sans-serif face,
// with nearly the same widths.
func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
}

func textStyle(c color.Color, size float64) text.Style {
	return text.Style{Color: c, Font: sans(size), YAlign: text.YTop, Handler: plot.DefaultTextHandler}
}

// addSeries adds the lines, markers and intervals of s.
func addSeries(p *plot.Plot, s Series) error {
	points := make(plotter.XYs, len(s.Points))
	for i, pt := range s.Points {
		points[i] = plotter.XY{X: pt.X, Y: pt.Y}
	}
	look := styleOf(s.Style)
	p.Add(intervals{s.Points, look})
	if len(points) > 1 {
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.LineStyle = look.line()
		if s.Kind == Step {
			line.StepStyle = plotter.PostStep
		}
		p.Add(line)
	}
	if s.Kind == Marked || len(points) == 1 {
		markers, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		markers.GlyphStyle = look.marker()
		p.Add(markers)
	}
	return nil
}

// intervals draws the interval of each point as a vertical bar.
type intervals struct {
	points []Point
	style  style
}

// Plot is part of plot.Plotter.
func (b intervals) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := draw.LineStyle{Color: b.style.color, Width: 1.2}
	for _, pt := range b.points {
		if pt.Lo >= pt.Hi {
			continue
		}
		at, lo, hi := x(pt.X), y(max(pt.Lo, p.Y.Min)), y(min(pt.Hi, p.Y.Max))
		c.StrokeLine2(line, at, lo, at, hi)
		if pt.Lo >= p.Y.Min { // an end without a cap goes on beyond the edge
			c.StrokeLine2(line, at-3, lo, at+3, lo)
		}
		if pt.Hi <= p.Y.Max {
			c.StrokeLine2(line, at-3, hi, at+3, hi)
		}
	}
}

// bands fills stretches of the X axis from bottom to top.
type bands []Band

// Plot is part of plot.Plotter.
func (b bands) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, one := range b {
		from, to := max(x(one.From), c.Min.X), min(x(one.To), c.Max.X)
		if from < to {
			c.FillPolygon(one.fill(), []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
		}
	}
}

// fill is the colour of the band, through which the page shows.
func (b Band) fill() color.NRGBA {
	tint := styleOf(b.Style).color
	tint.A = 0x38
	return tint
}

// grid draws a hair line at every labelled tick.
type grid struct{}

// Plot is part of plot.Plotter.
func (grid) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := draw.LineStyle{Color: hair, Width: 1}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if at := y(t.Value); !t.IsMinor() && c.ContainsY(at) {
			c.StrokeLine2(line, c.Min.X, at, c.Max.X, at)
		}
	}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if at := x(t.Value); !t.IsMinor() && c.ContainsX(at) {
			c.StrokeLine2(line, at, c.Min.Y, at, c.Max.Y)
		}
	}
}

// marks draws events along the X axis.
type marks []float64

// Plot is part of plot.Plotter.
func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	line := draw.LineStyle{Color: muted, Width: 1}
	for _, v := range m {
		if at := x(v); c.ContainsX(at) {
			c.StrokeLine2(line, at, c.Min.Y, at, c.Min.Y+8)
		}
	}
}

func (c *Chart) addMarks(p *plot.Plot) {
	if len(c.Marks) > 0 {
		p.Add(marks(c.Marks))
	}
}

// heading draws title, legend and the names of both axes above the plot and
// returns the height it used.
func (c *Chart) heading(area draw.Canvas) vg.Length {
	top := area.Max.Y
	at := top
	if c.Title != "" {
		title := textStyle(ink, titleSize)
		area.FillText(title, vg.Point{X: area.Min.X, Y: at}, c.Title)
		at -= titleSize + lineGap
	}
	at = c.legend(area, at)
	label := textStyle(muted, labelSize)
	if c.Y.Label != "" {
		area.FillText(label, vg.Point{X: area.Min.X, Y: at}, "\u2191 "+c.Y.Label)
	}
	if c.X.Label != "" {
		label.XAlign = text.XRight
		area.FillText(label, vg.Point{X: area.Max.X - rightMargin, Y: at}, c.X.Label+" \u2192")
	}
	if c.X.Label != "" || c.Y.Label != "" {
		at -= labelSize + lineGap
	}
	return top - at
}

// legend draws the names of the series in rows and returns where the next
// row would be.
func (c *Chart) legend(area draw.Canvas, at vg.Length) vg.Length {
	label := textStyle(ink, labelSize)
	x := area.Min.X
	row := func(width vg.Length) {
		if x > area.Min.X && x+width > area.Max.X {
			x, at = area.Min.X, at-labelSize-lineGap
		}
	}
	entries := 0
	for _, s := range c.Series {
		if s.Name == "" {
			continue
		}
		width := swatch + 5 + label.Width(s.Name) + 16
		row(width)
		look, middle := styleOf(s.Style), at-labelSize/2
		area.StrokeLine2(look.line(), x, middle, x+swatch, middle)
		if s.Kind == Marked || len(s.Points) == 1 {
			area.DrawGlyph(look.marker(), vg.Point{X: x + swatch/2, Y: middle})
		}
		area.FillText(label, vg.Point{X: x + swatch + 5, Y: at}, s.Name)
		x += width
		entries++
	}
	for i, b := range c.Bands {
		if slices.ContainsFunc(c.Bands[:i], func(o Band) bool { return o.Name == b.Name }) {
			continue
		}
		width := swatch + 5 + label.Width(b.Name) + 16
		row(width)
		area.FillPolygon(b.fill(), []vg.Point{{X: x, Y: at - labelSize}, {X: x + swatch, Y: at - labelSize}, {X: x + swatch, Y: at}, {X: x, Y: at}})
		area.FillText(label, vg.Point{X: x + swatch + 5, Y: at}, b.Name)
		x += width
		entries++
	}
	if len(c.Marks) > 0 && c.MarksName != "" {
		row(12 + label.Width(c.MarksName))
		area.StrokeLine2(draw.LineStyle{Color: muted, Width: 1}, x+3, at-labelSize, x+3, at-1)
		area.FillText(label, vg.Point{X: x + 10, Y: at}, c.MarksName)
		entries++
	}
	if entries == 0 {
		return at
	}
	return at - labelSize - lineGap
}
