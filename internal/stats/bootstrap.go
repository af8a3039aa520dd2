package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// resamples is how many times blocks are drawn again: the ends of an interval at
// Confidence rest on 50 of them each, which is more than blocks can tell.
const resamples = 2000

// Bootstrap returns the median of blocks with its percentile bootstrap interval: blocks
// are drawn again with replacement, which is what was repeated, and not the samples
// in them (Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of
// Statistics 7, 1979). The same seed gives the same interval. With few blocks it
// covers somewhat less than Confidence, see TestCoverageOfBootstrap; it stands beside that of
// Median as a second opinion.
func Bootstrap(blocks []float64, seed uint64) Interval {
	n := len(blocks)
	if n == 0 {
		return point(math.NaN(), 0)
	}
	result := point(middle(slices.Clone(blocks)), n)
	if n < 2 {
		return result
	}
	random := rand.New(rand.NewPCG(seed, 0))
	medians, drawn := make([]float64, resamples), make([]float64, n)
	for i := range medians {
		for j := range drawn {
			drawn[j] = blocks[random.IntN(n)]
		}
		medians[i] = middle(drawn)
	}
	slices.Sort(medians)
	tail := (1 - Confidence) / 2
	result.Lo, result.Hi = medians[int(tail*resamples)], medians[int((1-tail)*resamples)-1]
	result.Method = Resampled
	return result
}

// BootstrapRatio is Bootstrap of the ratios a[i]/b[i], of whose logarithms the median
// is taken; see MedianRatio.
func BootstrapRatio(a, b []float64, seed uint64) (ratio Interval, ok bool) {
	logs, ok := logRatios(a, b)
	if !ok {
		return point(math.NaN(), 0), false
	}
	return Bootstrap(logs, seed).mapped(math.Exp), true
}

// middle is the median of values, which it sorts.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// logRatios returns the logarithms of a[i]/b[i]; false if they have none.
func logRatios(a, b []float64) ([]float64, bool) {
	if len(a) != len(b) || len(a) == 0 {
		return nil, false
	}
	logs := make([]float64, len(a))
	for i := range a {
		if a[i] <= 0 || b[i] <= 0 {
			return nil, false
		}
		logs[i] = math.Log(a[i]) - math.Log(b[i])
	}
	return logs, true
}
