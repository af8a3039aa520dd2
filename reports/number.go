package reports

import (
	"math"
	"strconv"
	"strings"
	"time"

	"svcbench/internal/results"
)

// Number is a number of a summary. NaN means that there is none, and is null
// in JSON. Six significant digits are written: more than any instrument has,
// and few enough to be the same on every kind of CPU.
type Number float64

// MarshalJSON is part of json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, n.rounded(), 'g', -1, 64), nil
}

// UnmarshalJSON is part of json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = unknown()
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	*n = Number(v)
	return err
}

// Known reports whether there is a number.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

func (n Number) rounded() float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(n), 'g', 6, 64), 64)
	if err != nil {
		return float64(n)
	}
	return v
}

func unknown() Number { return Number(math.NaN()) }

// dash stands for a number that does not exist.
const dash = "–"

// format writes a number with its unit for people, to three digits. Units are
// those of results.Scalar.
func format(n Number, unit string) string {
	if !n.Known() {
		return dash
	}
	// Rounded, because a count that went through a logarithm is none any more.
	v := n.rounded()
	if scales := scalesOf(unit); scales != nil {
		s := scaleOf(v, scales)
		if v == 0 {
			return "0 " + s.name
		}
		return significant(v/s.size) + " " + s.name
	}
	switch unit {
	case "count":
		if v == math.Trunc(v) {
			return thousands(int64(v))
		}
		return significant(v)
	case "count/s":
		return significant(v) + "/s"
	case "ratio", "":
		return significant(v)
	}
	return significant(v) + " " + unit
}

type scale struct {
	size float64
	name string
}

// scalesOf returns the sizes in which a unit is written, largest first; nil
// for a unit with only one.
func scalesOf(unit string) []scale {
	switch unit {
	case "s":
		return []scale{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	case "bytes":
		return []scale{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}
	}
	return nil
}

// scaleOf returns the largest scale in which v is at least 1.
func scaleOf(v float64, scales []scale) scale {
	if v == 0 {
		return scales[0]
	}
	for _, s := range scales {
		if math.Abs(v) >= s.size*0.9995 {
			return s
		}
	}
	return scales[len(scales)-1]
}

// significant writes v with three significant digits and never as a power.
func significant(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 999.5:
		return thousands(int64(math.Round(v)))
	case abs >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.9995 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// thousands writes an integer with commas.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, parts...), ",")
}

// formatRatio writes a ratio to a baseline: 0.12×.
func formatRatio(n Number) string {
	if !n.Known() {
		return dash
	}
	return ratioDigits(n) + "×"
}

// ratioDigits has two decimals, and more digits only where those say nothing.
func ratioDigits(n Number) string {
	v := float64(n)
	switch {
	case v >= 99.95:
		return thousands(int64(math.Round(v)))
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.0995 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v >= 0.00995:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// faraway is the factor beyond which the bound of an interval is no longer
// written out: that few blocks have said nothing about it is all there is to
// read there. JSON has the number.
const faraway = 100

// formatInterval writes the interval of an estimate; "" if there is none or it
// has no width.
func formatInterval(estimate, lo, hi Number, unit string) string {
	least, most := limits(estimate)
	return formatRange(lo, hi, least, most, func(n Number) string { return format(n, unit) })
}

// besideEstimate is formatInterval for the place after the estimate: without
// units if both bounds read well in the estimate's own.
func besideEstimate(estimate, lo, hi Number, unit string) string {
	scales := scalesOf(unit)
	if scales == nil {
		return formatInterval(estimate, lo, hi, unit)
	}
	size := scaleOf(float64(estimate), scales).size
	for _, bound := range []Number{lo, hi} {
		if in := float64(bound) / size; in != 0 && in < 0.0995 || in >= 999.5 {
			return formatInterval(estimate, lo, hi, unit)
		}
	}
	least, most := limits(estimate)
	return formatRange(lo, hi, least, most, func(n Number) string { return significant(float64(n) / size) })
}

// limits are the least and the most that is written of a bound; around an
// estimate of 0, on which no factor can be based, there are none.
func limits(estimate Number) (least, most Number) {
	if estimate <= 0 {
		return 0, Number(math.Inf(1))
	}
	return estimate / faraway, estimate * faraway
}

// formatRange writes an interval in brackets, "" if there is none or it has no
// width. Of a bound below least or above most only that is written, with one
// digit: "[<0.01, >100]".
func formatRange(lo, hi, least, most Number, write func(Number) string) string {
	if !lo.Known() || !hi.Known() || lo.rounded() == hi.rounded() {
		return ""
	}
	low, high := write(lo), write(hi)
	if lo < least {
		low = "<" + shortened(write(oneDigit(least, math.Ceil)))
	}
	if hi > most {
		high = ">" + shortened(write(oneDigit(most, math.Floor)))
	}
	return "[" + low + ", " + high + "]"
}

// oneDigit rounds a positive number to one significant digit, up or down as
// round does.
func oneDigit(n Number, round func(float64) float64) Number {
	exact := n.rounded()
	digit := math.Pow10(int(math.Floor(math.Log10(exact))))
	return Number(round(Number(exact/digit).rounded()) * digit)
}

// shortened leaves out the zeros at the end of a fraction.
func shortened(text string) string {
	number, unit, _ := strings.Cut(text, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return joined(number, unit)
}

// count writes a number of things: "1 block", "3 blocks".
func count(n int, thing string) string {
	s := thousands(int64(n)) + " " + thing
	if n != 1 {
		s += "s"
	}
	return s
}

// sizeName writes a point by what tells it from the scenario's others, in full
// if that is not one thing alone.
func (s *scenario) sizeName(p results.Point) string {
	services := distinct(s.points, func(p results.Point) int { return p.Services })
	endpoints := distinct(s.points, func(p results.Point) int { return p.Endpoints })
	extras := distinct(s.points, results.Point.Extras)
	switch {
	case extras > 1 && services == 1 && endpoints == 1:
		return p.Extras()
	case extras > 1:
	case services > 1 && endpoints == 1:
		return count(p.Services, "Service")
	case services == 1 && endpoints > 1:
		return count(p.Endpoints, "endpoint") + " per Service"
	}
	return pointName(p)
}

// pointName writes a point in full: "5,000 Services × 2 endpoints, same-node".
func pointName(p results.Point) string {
	name := count(p.Services, "Service") + " × " + count(p.Endpoints, "endpoint")
	if extras := p.Extras(); extras != "" {
		name += ", " + extras
	}
	return name
}

// windowOf is the window of a point's batching, for its place among others: those
// without one come first.
func windowOf(p results.Point) time.Duration {
	window, _ := time.ParseDuration(p.Batching) // "none" is none
	return window
}
