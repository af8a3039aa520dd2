package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func within(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// Values of R 4.2's wilcox.test(x, y, paired = TRUE) and of its documentation.
func TestSignedRankAgainstR(t *testing.T) {
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	differences := make([]float64, len(x))
	for i := range x {
		differences[i] = x[i] - y[i]
	}
	for _, test := range []struct {
		differences []float64
		want        float64
	}{
		{differences, 0.0390625},                           // V = 40, by hand 2*10/512
		{[]float64{1, 2, 3, 4, 5}, 0.0625},                 // 2/2^5
		{[]float64{1, 2, 3, 4, 5, 6}, 0.03125},             // 2/2^6
		{[]float64{-1, 2, 3, 4, 5, 6}, 0.0625},             // 2*2/2^6
		{[]float64{1, -2, 3, -4, 5, -6}, 0.84375},          // V = 9: 2*27/64
		{[]float64{0, 0, 1, 2, 3, 4, 5}, 0.0625},           // zeros say nothing
		{[]float64{1, 1, 1, 1}, 0.125},                     // ties: 2/2^4
		{[]float64{1, 1, 1, -1}, 0.625},                    // 2*5/16
		{[]float64{2, 2, -1, 3}, 0.25},                     // ranks 2.5 2.5 1 4: 2*2/16
		{nil, 1}, {[]float64{0}, 1}, {[]float64{1, -1}, 1}, // nothing to say
	} {
		if got := SignedRank(test.differences); !within(got, test.want, 1e-12) {
			t.Errorf("SignedRank(%v) = %v, want %v", test.differences, got, test.want)
		}
	}
}

// The data of R's documentation of wilcox.test: W = 35, p = 0.1272 one-sided.
func TestRankSumAgainstR(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	if p, err := RankSum(x, y); err != nil || !within(p, 0.2544, 5e-5) {
		t.Errorf("p = %v, %v, want 0.2544", p, err)
	}
	// Of 20 choices of 3 among 6, two are as extreme.
	if p, err := RankSum([]float64{1, 2, 3}, []float64{4, 5, 6}); err != nil || !within(p, 0.1, 1e-12) {
		t.Errorf("p = %v, %v, want 0.1", p, err)
	}
	if p, err := RankSum([]float64{1, 1}, []float64{1, 1}); err != nil || p != 1 {
		t.Errorf("of samples that are alike p = %v, %v", p, err)
	}
	if _, err := RankSum(nil, x); err == nil {
		t.Error("no error for an empty sample")
	}
}

// Values of SciPy 1.10.1: wilcoxon(d, mode="exact") and mannwhitneyu(a, b,
// method="exact") of random numbers.
func TestAgainstSciPy(t *testing.T) {
	for _, test := range []struct {
		differences []float64
		want        float64
	}{
		{[]float64{0.605, -0.74, 1.05, 1.241, -1.651, -1.002}, 1},
		{[]float64{0.428, -0.016, 0.283, -0.553, 1.179, 1.078, 0.366, 1.427, 0.768, -0.559}, 0.130859375},
		{[]float64{0.669, -0.659, 1.178, 0.25, 0.115, -0.381, 1.523, 0.145, -0.128, -0.052, 0.832, 0.665, 0.713, 0.731, 2.442}, 0.012451171875},
		{[]float64{-0.106, -0.212, -0.514, 0.916, 1.429, 0.186, -0.54, -0.5241, 0.951, 1.043, 0.843, -0.366, 0.532, 0.417, 0.519, 1.171, 0.524, 0.979, 0.368, 0.589}, 0.00943565368652},
	} {
		if got := SignedRank(test.differences); !within(got, test.want, 1e-11) {
			t.Errorf("SignedRank(%v) = %v, want %v", test.differences, got, test.want)
		}
	}
	for _, test := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1.131, -0.957, 0.18, 0.03}, []float64{-0.639, -0.275, 1.495, -0.866}, 0.885714285714},
		{[]float64{1.468, -1.183, 0.165, 0.663, 1.086, 1.211}, []float64{0.793, -0.349, -0.462, 0.858, -0.191}, 0.329004329004},
		{
			[]float64{-0.776, -0.633, -0.419, 0.997, 0.642, 1.19, 0.073, 0.659, 1.126, 0.191},
			[]float64{0.457, -0.662, -0.363, -0.382, -1.196, 0.487, -0.469, 0.012, 0.481, 0.447}, 0.190315876074,
		},
		{
			[]float64{1.165, 0.402, 0.077, 0.42, -1.187, -0.947, -0.823, -0.497, 0.9, -0.405, 0.122, 1.799},
			[]float64{-0.356, 0.738, -0.934, -0.205, -0.95, -0.339, 0.84, -1.727, 0.434}, 0.553791719117,
		},
	} {
		if got, err := RankSum(test.a, test.b); err != nil || !within(got, test.want, 1e-11) {
			t.Errorf("RankSum(%v, %v) = %v, %v, want %v", test.a, test.b, got, err, test.want)
		}
	}
}

func TestCliffsDelta(t *testing.T) {
	for _, test := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{4, 5, 6}, []float64{1, 2, 3}, 1},
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, -1},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, 0},
		{[]float64{1, 3}, []float64{2, 2, 3, 0}, 0.125},
		{nil, []float64{1}, 0},
	} {
		if got := CliffsDelta(test.a, test.b); got != test.want {
			t.Errorf("CliffsDelta(%v, %v) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

// Values of R's p.adjust(p, "holm").
func TestHolmAgainstR(t *testing.T) {
	for _, test := range []struct{ p, want []float64 }{
		{[]float64{0.01, 0.04, 0.03}, []float64{0.03, 0.06, 0.06}},
		{[]float64{0.005, 0.011, 0.02, 0.04, 0.13}, []float64{0.025, 0.044, 0.06, 0.08, 0.13}},
		{[]float64{0.5, 0.6}, []float64{1, 1}},
		{nil, []float64{}},
	} {
		got := Holm(test.p)
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return within(a, b, 1e-12) }) {
			t.Errorf("Holm(%v) = %v, want %v", test.p, got, test.want)
		}
	}
}

// Values of SciPy 1.10.1: binomtest(k, n).proportion_ci(method="wilson").
func TestProportion(t *testing.T) {
	for _, test := range []struct {
		k, n          int64
		share, lo, hi float64
	}{
		{0, 10, 0, 0, 0.2775328},
		{5, 10, 0.5, 0.2365931, 0.7634069},
		{10, 10, 1, 0.7224672, 1},
		{1, 1000, 0.001, 0.000176546, 0.005642559},
		{3, 250, 0.012, 0.004089320, 0.034680780},
	} {
		i := Proportion(test.k, test.n)
		if i.Estimate != test.share || !within(i.Lo, test.lo, 1e-6) || !within(i.Hi, test.hi, 1e-6) {
			t.Errorf("%d of %d: %+v, want %+v", test.k, test.n, i, test)
		}
	}
	if i := Proportion(0, 0); !math.IsNaN(i.Estimate) || i.Method != None {
		t.Errorf("of nothing: %+v", i)
	}
}

// A test's p-value is below 0.05 at most once in twenty times if there is nothing.
func TestFalsePositives(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	const trials = 4000
	for _, n := range []int{6, 10, 20} {
		alarms := 0
		for range trials {
			differences := make([]float64, n)
			for i := range differences {
				differences[i] = random.NormFloat64()
			}
			if SignedRank(differences) < 0.05 {
				alarms++
			}
		}
		if share := float64(alarms) / trials; share > 0.05+3*math.Sqrt(0.05*0.95/trials) {
			t.Errorf("%d blocks: %.1f%% false alarms", n, 100*share)
		}
	}
}

// Of a family of tests without any effect, Holm lets one through at most once in
// twenty times.
func TestHolmKeepsTheFamily(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	const trials, family = 5000, 30
	alarms := 0
	for range trials {
		p := make([]float64, family)
		for i := range p {
			p[i] = random.Float64()
		}
		if slices.Min(Holm(p)) < 0.05 {
			alarms++
		}
	}
	if share := float64(alarms) / trials; share > 0.05+3*math.Sqrt(0.05*0.95/trials) {
		t.Errorf("a false alarm in %.1f%% of the families", 100*share)
	}
}
