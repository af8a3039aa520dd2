package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance || math.IsNaN(a) && math.IsNaN(b)
}

// TestMedianOrder compares with the table of sign-test intervals found in
// textbooks (Conover, Practical Nonparametric Statistics; qbinom(0.025, n,
// 0.5) in R).
func TestMedianOrder(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 0, 5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10, 50: 18, 100: 40} {
		if got := medianOrder(n); got != want {
			t.Errorf("medianOrder(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name   string
		blocks []float64
		want   Interval
	}{
		{"nothing", nil, Interval{nan, nan, nan, 0, None}},
		{"one block has no interval", []float64{3}, Interval{3, nan, nan, 1, None}},
		// t.test(c(1, 2)): 1.5 ± 12.7062 * 0.5
		{"two", []float64{1, 2}, Interval{1.5, -4.8531, 7.8531, 2, StudentT}},
		// t.test(c(1, 2, 3)): 2 ± 4.30265 / sqrt(3)
		{"three", []float64{3, 1, 2}, Interval{2, -0.48414, 4.48414, 3, StudentT}},
		{"equal blocks", []float64{7, 7, 7}, Interval{7, 7, 7, 3, StudentT}},
		{"six", []float64{6, 5, 4, 3, 2, 1}, Interval{3.5, 1, 6, 6, OrderStatistics}},
		{"ten", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Interval{5.5, 2, 9, 10, OrderStatistics}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Median(test.blocks)
			if !near(got.Estimate, test.want.Estimate, 1e-4) || !near(got.Lo, test.want.Lo, 1e-4) ||
				!near(got.Hi, test.want.Hi, 1e-4) || got.N != test.want.N || got.Method != test.want.Method {
				t.Errorf("Median(%v) = %+v, want %+v", test.blocks, got, test.want)
			}
		})
	}
}

func TestMedianFactor(t *testing.T) {
	// exp(t.test(log(c(1, 2, 4)))): 2 times or divided by exp(4.30265 * 0.69315 / sqrt(3))
	got := MedianFactor([]float64{4, 1, 2})
	if !near(got.Estimate, 2, 1e-9) || !near(got.Lo, 2/5.5947, 1e-3) || !near(got.Hi, 2*5.5947, 1e-3) || got.Method != StudentT {
		t.Errorf("three blocks: %+v", got)
	}
	if got := MedianFactor([]float64{0, 1, 2}); got.Estimate != 1 || got.Lo != 0 || got.Hi <= 2 {
		t.Errorf("with a 0: %+v", got)
	}
	if got := MedianFactor([]float64{6, 5, 4, 3, 2, 1}); !near(got.Lo, 1, 1e-12) || !near(got.Hi, 6, 1e-12) || got.Method != OrderStatistics {
		t.Errorf("six blocks: %+v", got)
	}
	if got := MedianFactor(nil); !math.IsNaN(got.Estimate) || got.N != 0 {
		t.Errorf("nothing: %+v", got)
	}
}

func TestMedianRatio(t *testing.T) {
	a := []float64{2, 4, 8, 16, 32, 64}
	b := []float64{1, 2, 4, 8, 16, 32}
	got, ok := MedianRatio(a, b)
	if !ok || !near(got.Estimate, 2, 1e-12) || !near(got.Lo, 2, 1e-12) || !near(got.Hi, 2, 1e-12) {
		t.Errorf("blocks that differ by 64 and a ratio that is always 2 give %+v, %v", got, ok)
	}
	if !got.Excludes(1) || got.Excludes(got.Estimate) {
		t.Errorf("%+v must exclude 1 and contain itself", got)
	}
	for _, pair := range [][2][]float64{{nil, nil}, {{1}, {0}}, {{-1}, {1}}, {{1, 2}, {1}}} {
		if got, ok := MedianRatio(pair[0], pair[1]); ok {
			t.Errorf("MedianRatio(%v, %v) = %+v", pair[0], pair[1], got)
		}
	}
}

func TestAround(t *testing.T) {
	// The logarithms 0, 1, 2 have s = 1: exp(4.30265/sqrt(3)) = 11.990.
	got := Around(10, []float64{1, math.E, math.E * math.E})
	if !near(got.Lo, 10/11.990, 1e-3) || !near(got.Hi, 119.90, 1e-1) {
		t.Errorf("Around = %+v", got)
	}
	if got := Around(0, []float64{0, 0, 3}); got.Lo != 0 || got.Hi <= 0 {
		t.Errorf("with zeros: %+v", got)
	}
	if got := Around(5, []float64{5}); got.Method != None || !math.IsNaN(got.Lo) {
		t.Errorf("one block: %+v", got)
	}
}

// TestCoverageOfMerged draws blocks with a scatter of their own, merges them, and
// counts how often the interval around a percentile contains the true one. The
// percentiles of few blocks are not quite normal in logarithms, hence the limit.
func TestCoverageOfMerged(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	block := func(samples int) *Distribution {
		shared := 1e6 * math.Exp(0.15*random.NormFloat64())
		durations := make([]int64, samples)
		for i := range durations {
			durations[i] = int64(shared * math.Exp(0.5*random.NormFloat64()))
		}
		return FromDurations(durations, nil)
	}
	// Together, blocks and samples scatter with the sum of both variances.
	sigma := math.Hypot(0.15, 0.5)
	for _, q := range []struct{ q, z float64 }{{0.5, 0}, {0.99, 2.32635}} {
		truth := 1e6 * math.Exp(q.z*sigma)
		for _, n := range []int{3, 10} {
			const rounds = 150
			covered := 0
			for range rounds {
				var parts []*Distribution
				var values []float64
				for range n {
					d := block(300)
					v, _ := d.Quantile(q.q)
					parts, values = append(parts, d), append(values, float64(v.NS))
				}
				v, _ := MergeDistributions(parts...).Quantile(q.q)
				if !Around(float64(v.NS), values).Excludes(truth) {
					covered++
				}
			}
			if share := float64(covered) / rounds; share < 0.9 {
				t.Errorf("p%g of %d blocks: the interval covers the truth in %.3f of runs", 100*q.q, n, share)
			}
		}
	}
}
