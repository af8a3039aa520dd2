package stats

import (
	"math"
	"slices"
)

// SignedRank returns the two-sided p-value of Wilcoxon's signed-rank test: how
// probable it is that paired differences, if they scatter symmetrically around 0,
// lie as much to one side as these or more. It is exact, also where differences are
// tied: the distribution of the sum of ranks is counted over all signs (Wilcoxon,
// "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1, 1945; ties
// have the mean of their ranks). Differences of 0 say nothing and are left out; it is
// 1 if nothing is left.
func SignedRank(differences []float64) float64 {
	var sizes []float64
	for _, d := range differences {
		if d != 0 {
			sizes = append(sizes, math.Abs(d))
		}
	}
	ranks := doubledRanks(sizes)
	var positive, total int
	i := 0
	for _, d := range differences {
		if d == 0 {
			continue
		}
		total += ranks[i]
		if d > 0 {
			positive += ranks[i]
		}
		i++
	}
	if total == 0 {
		return 1
	}
	// ways[s] is the share of all signs with which the ranks of positive
	// differences add up to s.
	ways := make([]float64, total+1)
	ways[0] = 1
	for _, r := range ranks {
		for s := total; s >= 0; s-- {
			ways[s] /= 2
			if s >= r {
				ways[s] += ways[s-r] / 2
			}
		}
	}
	return min(1, 2*min(sum(ways[:positive+1]), sum(ways[positive:])))
}

// doubledRanks returns twice the rank of each value from 1 on, which is a whole
// number: values that are tied share the mean of theirs.
func doubledRanks(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	ranks := make([]int, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = from + 1 + to // twice the mean of from+1..to
		}
		from = to
	}
	return ranks
}

func sum(xs []float64) float64 {
	var s float64
	for _, x := range xs {
		s += x
	}
	return s
}
