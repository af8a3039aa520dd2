package reports

import "testing"

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		n    Number
		unit string
		want string
	}{
		{8.1e-6, "s", "8.10 µs"}, {66.04e-6, "s", "66.0 µs"}, {0.9999e-3, "s", "1.00 ms"}, {0, "s", "0 s"}, {2.5e-10, "s", "0.25 ns"},
		{20, "s", "20.0 s"}, {123.4, "s", "123 s"}, {1234, "s", "1,234 s"}, {3 << 20, "bytes", "3.00 MiB"}, {60012, "count", "60,012"},
		{4321.5, "count/s", "4,322/s"}, {unknown(), "s", dash},
	} {
		if got := format(test.n, test.unit); got != test.want {
			t.Errorf("format(%v, %q) = %q, want %q", float64(test.n), test.unit, got, test.want)
		}
	}
	for _, test := range []struct {
		estimate, lo, hi Number
		beside, alone    string
	}{
		{63.7e-6, 40.3e-6, 101e-6, "[40.3, 101]", "[40.3 µs, 101 µs]"},
		{394e-6, 103e-6, 1509e-6, "[103 µs, 1.51 ms]", "[103 µs, 1.51 ms]"},
		{477e-3, 0.24e-3, 947665, "[<5 ms, >40 s]", "[<5 ms, >40 s]"},
		{3e-3, 0, 9e-3, "[<0.03, 9.00]", "[<30 µs, 9.00 ms]"},
		{0, 0, 1.5, "[0.00, 1.50]", "[0 s, 1.50 s]"},
		{2, 2, 2 * (1 + 1e-12), "", ""},
		{2, unknown(), unknown(), "", ""},
	} {
		if got := besideEstimate(test.estimate, test.lo, test.hi, "s"); got != test.beside {
			t.Errorf("beside %v: %q, want %q", float64(test.estimate), got, test.beside)
		}
		if got := formatInterval(test.estimate, test.lo, test.hi, "s"); got != test.alone {
			t.Errorf("interval of %v: %q, want %q", float64(test.estimate), got, test.alone)
		}
	}
	for _, test := range []struct {
		ratio, lo, hi Number
		want          string
	}{
		{0.19, 0.12, 0.29, "[0.12, 0.29]"}, {32, 0.0029, 119854, "[<0.01, >3,000]"}, {0.67, 0.00024, 68336, "[<0.007, >100]"},
		{0.004, 0.003, 0.005, "[0.003, 0.005]"},
	} {
		if got := ratioInterval(Row{Ratio: test.ratio, RatioLo: test.lo, RatioHi: test.hi}); got != test.want {
			t.Errorf("interval of the ratio %v: %q, want %q", float64(test.ratio), got, test.want)
		}
	}
	for n, want := range map[Number]string{0.1234: "0.12×", 0.0123: "0.012×", 12.34: "12.3×", 1: "1.00×", 1234: "1,234×"} {
		if got := formatRatio(n); got != want {
			t.Errorf("formatRatio(%v) = %q, want %q", float64(n), got, want)
		}
	}
}
