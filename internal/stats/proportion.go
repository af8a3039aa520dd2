package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Proportion returns the share of k among n attempts with Wilson's score interval
// (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
// Journal of the American Statistical Association 22, 1927), which is sensible for
// shares near 0 and 1 as well. Attempts of one trial are not independent: it says what
// the number of attempts alone allows to say. N counts attempts.
func Proportion(k, n int64) Interval {
	if n == 0 {
		return point(math.NaN(), 0)
	}
	z := distuv.UnitNormal.Quantile(1 - (1-Confidence)/2)
	count, share := float64(n), float64(k)/float64(n)
	center := (share + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(share*(1-share)/count+z*z/(4*count*count))
	return Interval{Estimate: share, Lo: max(0, center-half), Hi: min(1, center+half), N: int(n), Method: Score}
}
