package runners

import (
	"hash/fnv"
	"math/rand/v2"
)

// source returns a source of random numbers for one purpose. The same seed
// and names give the same numbers in every run and on every machine.
func source(seed uint64, names ...string) *rand.Rand {
	h := fnv.New64a()
	for _, n := range names {
		_, _ = h.Write([]byte(n)) // a hash.Hash never fails
		_, _ = h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// orders returns the order of n modes in each of a number of blocks. It takes
// rows of a Williams design, a Latin square in which every mode comes at every
// position equally often and follows every other one equally often (Williams,
// "Experimental Designs Balanced for the Estimation of Residual Effects of
// Treatments", Australian Journal of Scientific Research A2, 1949), with modes
// and rows drawn at random. A number of blocks that is no multiple of the rows
// is as near to balance as the rows drawn allow.
func orders(n, blocks int, r *rand.Rand) [][]int {
	var sequence [][]int
	for len(sequence) < blocks {
		rows := williams(n)
		label := r.Perm(n)
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, row := range rows {
			for i := range row {
				row[i] = label[row[i]]
			}
		}
		sequence = append(sequence, rows...)
	}
	return sequence[:blocks]
}

// williams returns the rows of the design: n of them, or twice as many for an
// odd n, which needs every row backwards as well.
func williams(n int) [][]int {
	first := make([]int, n) // 0, 1, n-1, 2, n-2, ...
	for i := 1; i < n; i++ {
		if first[i] = (i + 1) / 2; i%2 == 0 {
			first[i] = n - i/2
		}
	}
	var rows [][]int
	for shift := range n {
		row := make([]int, n)
		for i := range row {
			row[i] = (first[i] + shift) % n
		}
		rows = append(rows, row)
	}
	if n%2 == 0 || n == 1 {
		return rows
	}
	for _, row := range rows[:n] {
		back := make([]int, n)
		for i := range row {
			back[n-1-i] = row[i]
		}
		rows = append(rows, back)
	}
	return rows
}
