package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// accepts reports whether the axis has a place for v.
func (a *Axis) accepts(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
}

// resolve sets the ends of the axis, if they are open, so that they contain
// the data and the axis ends at round numbers.
func (a *Axis) resolve(data extent) {
	if a.Min != a.Max {
		return
	}
	if data.min > data.max {
		data = extent{1, 10}
	}
	if a.Log {
		a.Min, a.Max = roundDown(data.min), roundUp(data.max)
		if a.Min == a.Max {
			a.Min, a.Max = a.Min/2, a.Max*2
		}
		return
	}
	step := niceStep(data.max - min(data.min, 0))
	a.Min = math.Floor(min(data.min, 0)/step) * step
	a.Max = math.Ceil(data.max/step) * step
	if a.Min == a.Max {
		a.Max += step
	}
}

// oneTwoFive are the round numbers of a decade.
var oneTwoFive = [...]float64{1, 2, 5}

// roundDown returns the largest 1, 2 or 5 times a power of ten of at most v.
func roundDown(v float64) float64 {
	best := 0.0
	for exp := decade(v) - 1; exp <= decade(v)+1; exp++ {
		for _, m := range oneTwoFive {
			if t := times10(m, exp); t <= v*(1+1e-9) {
				best = max(best, t)
			}
		}
	}
	return best
}

// roundUp returns the smallest 1, 2 or 5 times a power of ten of at least v.
func roundUp(v float64) float64 {
	best := math.Inf(1)
	for exp := decade(v) - 1; exp <= decade(v)+1; exp++ {
		for _, m := range oneTwoFive {
			if t := times10(m, exp); t >= v*(1-1e-9) {
				best = min(best, t)
			}
		}
	}
	return best
}

func decade(v float64) int { return int(math.Floor(math.Log10(v))) }

// times10 is m * 10^exp, exact where that is representable.
func times10(m float64, exp int) float64 {
	if exp < 0 {
		return m / math.Pow10(-exp)
	}
	return m * math.Pow10(exp)
}

// niceStep is the distance of ticks that divides a length into 3 to 6 parts.
func niceStep(length float64) float64 {
	if length <= 0 {
		return 1
	}
	return roundUp(length / 5)
}

// ticks returns the ticks of the axis, minor ones without labels.
func (a *Axis) ticks() []plot.Tick {
	var ticks []plot.Tick
	if a.Ticks != nil {
		for _, t := range a.Ticks {
			ticks = append(ticks, plot.Tick{Value: t.Value, Label: t.Label})
		}
		return ticks
	}
	format := a.Format
	if format == nil {
		format = Compact
	}
	if !a.Log {
		step := niceStep(a.Max - a.Min)
		for i := math.Ceil(a.Min / step); i*step <= a.Max+step/1e6; i++ {
			ticks = append(ticks, plot.Tick{Value: i * step, Label: format(i * step)})
		}
		return ticks
	}
	// Few decades leave room to label what lies between them.
	decades := math.Log10(a.Max / a.Min)
	for exp := decade(a.Min); exp <= decade(a.Max)+1; exp++ {
		for m := 1; m <= 9; m++ {
			v := times10(float64(m), exp)
			if v < a.Min*(1-1e-9) || v > a.Max*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: min(max(v, a.Min), a.Max)}
			between := decades < 1.2 && (m == 2 || m == 5) || decades < 2.2 && m == 3
			if m == 1 || between {
				t.Label = format(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// Compact writes a number in few characters: 0.1, 1, 10, 1k, 2.5M.
func Compact(v float64) string {
	for _, unit := range []struct {
		size   float64
		suffix string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'g', 4, 64) + unit.suffix
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// fixedTicks is a plot.Ticker of known ticks.
type fixedTicks []plot.Tick

func (t fixedTicks) Ticks(_, _ float64) []plot.Tick { return t }

// apply gives a gonum axis the ends, ticks and looks of a.
func (a *Axis) apply(axis *plot.Axis) {
	axis.Min, axis.Max = a.Min, a.Max
	if a.Log {
		axis.Scale = plot.LogScale{}
	}
	axis.Tick.Marker = fixedTicks(a.ticks())
	axis.Tick.Label.Font = sans(tickSize)
	axis.Tick.Label.Color = muted
	axis.Tick.Length = 4
	axis.Tick.Color = rule
	axis.Color = rule
	axis.LineStyle.Width = 1
	axis.Tick.LineStyle.Width = 1
	axis.Padding = 0
}
