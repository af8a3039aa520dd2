package spread

import (
	"fmt"
	"testing"
)

func TestEveryStretchIsEven(t *testing.T) {
	for _, tc := range []struct{ n, draws, skip int }{
		{1, 3, 0}, {5, 100, 0}, {85, 600, 0}, {85, 600, 300}, {985, 600, 250}, {10_000, 600, 7},
	} {
		for _, begin := range []uint64{0, 1 << 63, 0xdead_beef_0000_0001} {
			t.Run(fmt.Sprintf("%d of %d after %d from %x", tc.draws, tc.n, tc.skip, begin), func(t *testing.T) {
				s := New(begin)
				for range tc.skip {
					s.Next(tc.n)
				}
				tenths := make([]int, 10)
				met := make([]int, tc.n)
				for range tc.draws {
					at := s.Next(tc.n)
					met[at]++
					tenths[10*at/tc.n]++
				}
				// A place is never met more than a few times too often, nor
				// is a tenth.
				for at, got := range met {
					if even := float64(tc.draws) / float64(tc.n); float64(got) > even+2.5 || float64(got) < even-2.5 {
						t.Fatalf("place %d was met %d times, even would be %.1f", at, got, even)
					}
				}
				if tc.n%10 != 0 {
					return
				}
				for i, got := range tenths {
					if even := tc.draws / 10; got < even-2 || got > even+2 {
						t.Errorf("tenth %d was met %d times, even would be %d", i, got, even)
					}
				}
			})
		}
	}
}
