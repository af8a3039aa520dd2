package stats

import (
	"math"
	"slices"
	"sort"

	moremath "github.com/aclements/go-moremath/stats"
	"gonum.org/v1/gonum/stat/distuv"
)

// RankRatio returns by what factor values of a are larger than those of b, which were
// measured independently: the median of all quotients a[i]/b[j], with the interval
// that inverts the exact Mann-Whitney test (Hodges and Lehmann, "Estimates of Location
// Based on Rank Tests", Annals of Mathematical Statistics 34, 1963). Below 4 and 4
// values there is no interval, because no choice of ranks is improbable enough. All
// values must be positive; otherwise, or if a side has none, ok is false. N is the
// number of values of the smaller side.
func RankRatio(a, b []float64) (ratio Interval, ok bool) {
	if len(a) == 0 || len(b) == 0 || slices.Min(a) <= 0 || slices.Min(b) <= 0 {
		return point(math.NaN(), 0), false
	}
	quotients := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			quotients = append(quotients, math.Log(x)-math.Log(y))
		}
	}
	slices.Sort(quotients)
	n := len(quotients)
	ratio = point((quotients[(n-1)/2]+quotients[n/2])/2, min(len(a), len(b)))
	if k := rankOrder(len(a), len(b)); k > 0 {
		ratio.Lo, ratio.Hi, ratio.Method = quotients[k-1], quotients[n-k], RankTest
	}
	return ratio.mapped(math.Exp), true
}

// rankOrder is the largest k such that the interval from the k-th smallest to the k-th
// largest quotient covers the ratio with at least Confidence: the share of pairs is U,
// and the coverage 1 - 2 P(U < k). It is 0 if there is none.
func rankOrder(n, m int) int {
	const exact = 50 // of more the normal distribution is as good, and the other takes for ever
	outside := func(k int) float64 { return moremath.UDist{N1: n, N2: m}.CDF(float64(k)) }
	if n > exact || m > exact {
		mean, deviation := float64(n*m)/2, math.Sqrt(float64(n*m*(n+m+1))/12)
		outside = func(k int) float64 { return distuv.UnitNormal.CDF((float64(k) + 0.5 - mean) / deviation) }
	}
	return sort.Search(n*m/2, func(k int) bool { return 2*outside(k) > 1-Confidence })
}
