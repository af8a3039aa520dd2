// Package spread draws places in a list so that any number of draws is spread
// over the whole of it as evenly as that number allows. Drawn independently,
// some stretches of the rules would be met more often than others by chance,
// and where latency grows with the place in the rules a median would be that
// of the draw: at 100 Services and 600 connections it moved by 3 %.
package spread

import "math/bits"

// golden is the golden ratio's fractional part, times 2^64.
const golden = 0x9E3779B97F4A7C15

// Sequence is a sequence of points in [0, 1), each the one before plus the
// golden ratio, modulo one (Weyl's sequence; of all constants this one keeps
// the points of every stretch apart best: Knuth, "The Art of Computer
// Programming" 3, section 6.4, theorem S).
type Sequence struct{ point uint64 } // times 2^64

// New returns a sequence that begins at a point of the caller's choice, such as
// a random one.
func New(begin uint64) Sequence { return Sequence{begin} }

// Next returns the next place in a list of n, from 0. n must be positive.
func (s *Sequence) Next(n int) int {
	s.point += golden
	at, _ := bits.Mul64(s.point, uint64(n))
	return int(at)
}
