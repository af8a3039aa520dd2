package stats

import (
	"cmp"
	"slices"
)

// Holm adjusts p-values of a family of tests, so that the probability of one false
// alarm among all of them is at most the level that each is compared with (Holm, "A
// Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
// Statistics 6, 1979). The order is that of p.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	var most float64
	for k, i := range order {
		most = max(most, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = most
	}
	return adjusted
}
