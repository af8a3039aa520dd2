package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is the confidence level of every interval.
const Confidence = 0.95

// LeastExact is the smallest number of blocks with an exact interval of the
// median at Confidence: 1-2/2^6 = 0.969.
const LeastExact = 6

// Method says where an interval comes from.
type Method string

// The methods, by the number of blocks and the kind of estimate.
const (
	// None is the absence of an interval: fewer than two blocks.
	None Method = ""
	// OrderStatistics is the exact, distribution-free interval of a median:
	// the k-th smallest and k-th largest block, with the largest k for which
	// the binomial distribution leaves at most 1-Confidence outside.
	OrderStatistics Method = "order statistics"
	// StudentT is mean ± t(n-1) s/sqrt(n), which trusts that blocks scatter
	// normally. With 2 to 5 blocks there is no way to check that.
	StudentT Method = "Student t"
	// RankTest is the interval that inverts the Mann-Whitney test.
	RankTest Method = "rank test"
	// Resampled is the percentile bootstrap over blocks.
	Resampled Method = "bootstrap"
	// Score is Wilson's interval of a share.
	Score Method = "score"
)

// Interval is an estimate with its confidence interval.
type Interval struct {
	Estimate float64
	// Lo and Hi are NaN where Method is None.
	Lo, Hi float64
	// N is the number of blocks it rests on.
	N      int
	Method Method
}

// point is an estimate without an interval.
func point(estimate float64, n int) Interval {
	return Interval{Estimate: estimate, Lo: math.NaN(), Hi: math.NaN(), N: n}
}

// Median returns the median of blocks with an interval: by order statistics
// from LeastExact blocks on, by Student's t for 2 to 5 (whose distribution is
// symmetric, so that its mean is its median), none for a single block. The
// estimate is NaN without blocks.
func Median(blocks []float64) Interval {
	n := len(blocks)
	if n == 0 {
		return point(math.NaN(), 0)
	}
	sorted := slices.Sorted(slices.Values(blocks))
	result := point((sorted[(n-1)/2]+sorted[n/2])/2, n)
	switch k := medianOrder(n); {
	case k > 0:
		result.Lo, result.Hi = sorted[k-1], sorted[n-k]
		result.Method = OrderStatistics
	case n >= 2:
		mean, half := studentT(blocks)
		// Rounding must not push the median out of its own interval.
		result.Lo = min(mean-half, result.Estimate)
		result.Hi = max(mean+half, result.Estimate)
		result.Method = StudentT
	}
	return result
}

// MedianFactor is Median for what scatters by factors and is never negative,
// such as times and sizes: it is taken of the logarithms, so that no bound is
// below 0. With a 0 among the blocks, which has no logarithm, it is Median, cut
// off at 0.
func MedianFactor(blocks []float64) Interval {
	logs := make([]float64, len(blocks))
	for i, v := range blocks {
		if v <= 0 {
			result := Median(blocks)
			result.Lo = max(result.Lo, 0)
			return result
		}
		logs[i] = math.Log(v)
	}
	return Median(logs).mapped(math.Exp)
}

// MedianRatio returns the median of a[i]/b[i] over blocks i with its interval;
// see MedianFactor. Pairing by block removes whatever both have in common in a
// block. All values must be positive; otherwise, or without blocks, ok is
// false.
func MedianRatio(a, b []float64) (ratio Interval, ok bool) {
	if len(a) != len(b) || len(a) == 0 {
		return point(math.NaN(), 0), false
	}
	ratios := make([]float64, len(a))
	for i := range a {
		if a[i] <= 0 || b[i] <= 0 {
			return point(math.NaN(), 0), false
		}
		ratios[i] = a[i] / b[i]
	}
	return MedianFactor(ratios), true
}

// Around returns an interval for an estimate that was taken from all samples
// of all blocks at once, such as a percentile of merged histograms. Blocks
// are its values block by block. They are the unit that was repeated, so that
// their scatter, and not the number of samples, gives the standard error: the
// interval is estimate * exp(± t(n-1) s/sqrt(n)), s the standard deviation of
// the blocks' logarithms. With a value of 0 in a block it is taken without
// logarithms and does not go below 0.
func Around(estimate float64, blocks []float64) Interval {
	n := len(blocks)
	result := point(estimate, n)
	if n < 2 {
		return result
	}
	result.Method = StudentT
	if estimate <= 0 || slices.Min(blocks) <= 0 {
		_, half := studentT(blocks)
		result.Lo, result.Hi = max(0, estimate-half), estimate+half
		return result
	}
	logs := make([]float64, n)
	for i, v := range blocks {
		logs[i] = math.Log(v)
	}
	_, half := studentT(logs)
	result.Lo, result.Hi = estimate*math.Exp(-half), estimate*math.Exp(half)
	return result
}

// mapped applies an increasing function to the estimate and its bounds.
func (i Interval) mapped(f func(float64) float64) Interval {
	i.Estimate, i.Lo, i.Hi = f(i.Estimate), f(i.Lo), f(i.Hi)
	return i
}

// Excludes reports whether the interval exists and does not contain v.
func (i Interval) Excludes(v float64) bool {
	return i.Method != None && (v < i.Lo || v > i.Hi)
}

// medianOrder is the largest k such that the interval from the k-th smallest
// to the k-th largest of n samples covers the median with at least
// Confidence; 0 if there is none. The number of samples below the median is
// binomial with p = 1/2, so that the coverage is 1 - 2 P(B(n, 1/2) < k).
func medianOrder(n int) int {
	b := distuv.Binomial{N: float64(n), P: 0.5}
	k, outside := 0, 0.0
	for {
		outside += 2 * b.Prob(float64(k))
		if outside > 1-Confidence || k >= n/2 {
			return k
		}
		k++
	}
}

// studentT returns the mean of xs and the half width of its interval.
func studentT(xs []float64) (mean, half float64) {
	n := float64(len(xs))
	for _, x := range xs {
		mean += x
	}
	mean /= n
	var squares float64
	for _, x := range xs {
		squares += (x - mean) * (x - mean)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(1 - (1-Confidence)/2)
	return mean, t * math.Sqrt(squares/(n-1)/n)
}
