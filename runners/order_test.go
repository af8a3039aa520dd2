package runners

import (
	"fmt"
	"slices"
	"testing"
)

// In a whole design every mode comes at every position equally often and
// follows every other one equally often.
func TestOrdersAreBalanced(t *testing.T) {
	for n := 1; n <= 5; n++ {
		blocks := len(williams(n))
		at, after := map[[2]int]int{}, map[[2]int]int{}
		for _, row := range orders(n, blocks, source(1, "test")) {
			if sorted := slices.Sorted(slices.Values(row)); len(slices.Compact(sorted)) != n {
				t.Fatalf("%d modes: %v has not every mode once", n, row)
			}
			for i, m := range row {
				at[[2]int{m, i}]++
				if i > 0 {
					after[[2]int{row[i-1], m}]++
				}
			}
		}
		for key, count := range at {
			if count != blocks/n {
				t.Errorf("%d modes: mode %d comes %d times at position %d, want %d", n, key[0], count, key[1], blocks/n)
			}
		}
		if n > 1 && len(after) != n*(n-1) {
			t.Errorf("%d modes: %d of %d successions", n, len(after), n*(n-1))
		}
		for key, count := range after {
			if count != blocks/n {
				t.Errorf("%d modes: %d follows %d %d times, want %d", n, key[1], key[0], count, blocks/n)
			}
		}
	}
}

// Two modes alternate over pairs of blocks, whatever their number.
func TestOrdersOfTwo(t *testing.T) {
	for seed := range uint64(20) {
		o := orders(2, 7, source(seed))
		if len(o) != 7 {
			t.Fatalf("%d orders", len(o))
		}
		for b := 0; b+1 < 7; b += 2 {
			if o[b][0] == o[b+1][0] {
				t.Errorf("seed %d: blocks %d and %d begin with the same mode: %v", seed, b, b+1, o)
			}
		}
	}
}

func TestSourceIsStable(t *testing.T) {
	// The numbers are part of the meaning of a seed: plans and populations
	// of published runs depend on them.
	if got := fmt.Sprint(source(1, "order", "quick", "0").Perm(8)); got != "[1 3 6 4 2 5 7 0]" {
		t.Errorf("got %s", got)
	}
	if source(1, "ab", "c").Uint64() == source(1, "a", "bc").Uint64() {
		t.Error("names run together")
	}
}
