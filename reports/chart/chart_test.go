package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func example() *Chart {
	return &Chart{
		ID: "path", Title: "5,000 Services <all>", Description: "Two curves.",
		Width: 420, Height: 300,
		X: Axis{Label: "Services", Log: true}, Y: Axis{Label: "latency", Log: true},
		Series: []Series{
			{Name: "iptables", Style: 0, Kind: Marked, Points: []Point{{X: 100, Y: 9, Lo: 8, Hi: 10}, {X: 1000, Y: 20}, {X: 5000, Y: 66}}},
			{Name: "nftables", Style: 2, Points: []Point{{X: 100, Y: 7}, {X: 5000, Y: 8}}},
		},
		Marks: []float64{200, 400}, MarksName: "API write",
	}
}

func TestSVG(t *testing.T) {
	c := example()
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.SVG()
	if err != nil || again != svg {
		t.Errorf("drawn again, the chart differs: %v", err)
	}
	wellFormed(t, svg)
	for _, want := range []string{
		`role="img"`, `aria-labelledby="path-title path-desc"`, `<title id="path-title">5,000 Services &lt;all&gt;</title>`,
		"currentColor", "var(--series-0,", "var(--series-2,", "var(--hair,", ">iptables<", ">10<", ">1k<", ">API write<",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the SVG lacks %s", want)
		}
	}
	for _, stray := range []string{"#FFFFFF", "font-family", "<?xml", hex(ink), hex(muted), hex(rule), hex(hair), "NaN"} {
		if strings.Contains(svg, stray) {
			t.Errorf("the SVG has %s", stray)
		}
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
	}
}

// TestUndrawable checks that values without a place on an axis are left out
// instead of ending the program.
func TestUndrawable(t *testing.T) {
	c := example()
	c.Series = append(c.Series, Series{Name: "odd", Style: 1, Points: []Point{
		{X: 0, Y: 5}, {X: 10, Y: 0}, {X: 10, Y: math.NaN()}, {X: math.Inf(1), Y: 1}, {X: 10, Y: -1},
	}})
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(svg, ">odd<") {
		t.Error("a series without a drawable point is in the legend")
	}
	c.Series = c.Series[2:]
	if !c.Empty() {
		t.Error("a chart without a drawable point is not empty")
	}
	if _, err := c.SVG(); err != nil {
		t.Errorf("an empty chart: %v", err)
	}
}

func TestImpossibleAxes(t *testing.T) {
	for _, ends := range [][2]float64{{-1, 10}, {0, 10}, {10, 1}, {1, math.Inf(1)}, {math.NaN(), 1}} {
		c := example()
		c.X.Min, c.X.Max = ends[0], ends[1]
		if _, err := c.SVG(); err == nil || !strings.Contains(err.Error(), `draw chart "path"`) {
			t.Errorf("a log axis from %v to %v: %v", ends[0], ends[1], err)
		}
	}
}

func TestPanicBecomesError(t *testing.T) {
	c := example()
	c.X.Ticks = []Tick{{Value: -5, Label: "no place on a log axis"}}
	if _, err := c.SVG(); err == nil || !strings.Contains(err.Error(), `draw chart "path"`) {
		t.Errorf("a tick below 0: %v", err)
	}
}

func TestAxisEnds(t *testing.T) {
	for _, test := range []struct {
		log                 bool
		min, max            float64
		wantMin, wantMax    float64
		firstTick, lastTick string
	}{
		{true, 7, 66, 5, 100, "10", "100"},
		{true, 1, 1, 0.5, 2, "0.5", "2"},
		{true, 0.3, 4200, 0.2, 5000, "1", "1k"},
		{false, 0, 0.93, 0, 1, "0", "1"},
		{false, 3, 47, 0, 50, "0", "50"},
		{false, 0, 0, 0, 1, "0", "1"},
	} {
		a := Axis{Log: test.log}
		a.resolve(extent{test.min, test.max})
		if math.Abs(a.Min-test.wantMin) > 1e-9 || math.Abs(a.Max-test.wantMax) > 1e-9 {
			t.Errorf("data from %v to %v: axis from %v to %v, want %v to %v", test.min, test.max, a.Min, a.Max, test.wantMin, test.wantMax)
		}
		var labels []string
		for _, tick := range a.ticks() {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if len(labels) == 0 || labels[0] != test.firstTick || labels[len(labels)-1] != test.lastTick {
			t.Errorf("axis from %v to %v has the labels %q", a.Min, a.Max, labels)
		}
	}
}

func TestAlign(t *testing.T) {
	a, b := example(), example()
	b.Series[0].Points[2].Y = 9000
	Align([]*Chart{a, b, {ID: "empty"}})
	if a.Y.Min != b.Y.Min || a.Y.Max != 10000 || b.Y.Max != 10000 || a.X.Max != b.X.Max {
		t.Errorf("axes differ: %+v, %+v", a.Y, b.Y)
	}
}
