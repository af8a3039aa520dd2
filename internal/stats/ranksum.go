package stats

import (
	"fmt"

	moremath "github.com/aclements/go-moremath/stats"
)

// RankSum returns the two-sided p-value of the Mann-Whitney U-test: how probable it
// is that two independent samples of one distribution differ as much as these or
// more. It is exact for samples of up to 50 without ties and 25 with them. The error
// says that a sample is empty.
func RankSum(a, b []float64) (float64, error) {
	result, err := moremath.MannWhitneyUTest(a, b, moremath.LocationDiffers)
	switch {
	case err == moremath.ErrSamplesEqual:
		return 1, nil
	case err != nil:
		return 0, fmt.Errorf("compare %d and %d values: %w", len(a), len(b), err)
	}
	return result.P, nil
}

// CliffsDelta returns by how much values of a tend to be larger than those of b: the
// share of pairs in which they are, less the share in which they are smaller
// (Cliff, "Dominance statistics", Psychological Bulletin 114, 1993). It is from -1
// to 1, and 0 without pairs.
func CliffsDelta(a, b []float64) float64 {
	larger := 0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				larger++
			case x < y:
				larger--
			}
		}
	}
	if larger == 0 {
		return 0
	}
	return float64(larger) / float64(len(a)*len(b))
}
