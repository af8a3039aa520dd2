package stats

import (
	"cmp"
	"math"
	"slices"
)

// Beyond is how many samples of a histogram must lie beyond a quantile before
// it is quoted; see Distribution.Supports.
const Beyond = 10

// Distribution is a set of durations in nanoseconds of which some are only
// known to be long: the attempts that timed out. It takes part in quantiles
// with all of them, so that a time-out moves a percentile up instead of
// disappearing. It is not changed after it was made.
type Distribution struct {
	buckets  []bucket
	count    int64
	censored int64
	// single means that the samples are few and were taken one by one, and
	// not in a stream that a histogram counts.
	single bool
	// atLeast is what every censored duration exceeds in ns; 0 means that
	// they exceed every recorded one.
	atLeast int64
}

// bucket is a value, with the number of samples of this value.
type bucket struct{ value, count int64 }

// Bound is a duration in ns, or the least that it can be.
type Bound struct {
	NS int64
	// AtLeast is true when the quantile falls among the censored samples:
	// the true value is NS or more.
	AtLeast bool
}

// NewDistribution returns the distribution of what h counted and of censored
// attempts, each of which took longer than any value in h.
func NewDistribution(h *Histogram, censored int64) *Distribution {
	d := &Distribution{count: h.Count(), censored: censored}
	for _, bar := range h.h.Distribution() {
		if bar.Count > 0 {
			d.buckets = append(d.buckets, bucket{bar.To, bar.Count})
		}
	}
	return d
}

// FromDurations returns the distribution of durations in ns, and of samples
// that were given up after as many ns as censored lists.
func FromDurations(durations, censored []int64) *Distribution {
	d := &Distribution{count: int64(len(durations)), censored: int64(len(censored)), single: true}
	for _, v := range durations {
		d.buckets = append(d.buckets, bucket{v, 1})
	}
	d.compact()
	if len(censored) > 0 {
		d.atLeast = slices.Min(censored)
	}
	return d
}

// MergeDistributions returns the distribution of all samples of ds. Counts
// are added; nothing is averaged.
func MergeDistributions(ds ...*Distribution) *Distribution {
	m := &Distribution{single: true}
	for _, d := range ds {
		m.single = m.single && d.single
		m.buckets = append(m.buckets, d.buckets...)
		m.count += d.count
		m.censored += d.censored
		if d.atLeast > 0 && (m.atLeast == 0 || d.atLeast < m.atLeast) {
			m.atLeast = d.atLeast
		}
	}
	m.compact()
	return m
}

// compact sorts the buckets and makes one of those with the same value.
func (d *Distribution) compact() {
	slices.SortFunc(d.buckets, func(a, b bucket) int { return cmp.Compare(a.value, b.value) })
	kept := d.buckets[:0]
	for _, b := range d.buckets {
		if n := len(kept); n > 0 && kept[n-1].value == b.value {
			kept[n-1].count += b.count
			continue
		}
		kept = append(kept, b)
	}
	d.buckets = kept
}

// Count is the number of samples with a known duration.
func (d *Distribution) Count() int64 { return d.count }

// Censored is the number of samples that are only known to be long.
func (d *Distribution) Censored() int64 { return d.censored }

// Total is the number of all samples.
func (d *Distribution) Total() int64 { return d.count + d.censored }

// Supports reports whether there are enough samples to quote the quantile q:
// whether the nearer end of the distribution is further away than chance.
//
// Neighbours in a stream of samples resemble each other, so that a histogram
// must have at least Beyond of them beyond q. Samples that were taken one by
// one support q when its distribution-free interval at Confidence exists, that
// is when the chance that all n samples lie on one side of the true quantile,
// q^n or (1-q)^n, is at most half of 1-Confidence: from 6 samples on for the
// median, 36 for p90 and 368 for p99 (David and Nagaraja, Order Statistics,
// 7.1, with equal tails).
func (d *Distribution) Supports(q float64) bool {
	if d.Total() == 0 {
		return false
	}
	if d.single {
		return math.Pow(max(q, 1-q), float64(d.Total())) <= (1-Confidence)/2
	}
	if q < 0.5 {
		return d.rank(q) >= Beyond
	}
	return d.Above(q) >= Beyond
}

// Above returns how many samples have a rank above that of the quantile q.
func (d *Distribution) Above(q float64) int64 { return d.Total() - d.rank(q) }

// rank is the nearest rank of q among all samples, from 1.
func (d *Distribution) rank(q float64) int64 {
	// The small number keeps 0.9*10 at rank 9 where the product is a hair
	// above it.
	r := int64(math.Ceil(q*float64(d.Total()) - 1e-9))
	return min(max(r, 1), d.Total())
}

// Quantile returns the value at q, between 0 and 1, by nearest rank among all
// samples; ok is false if there is none, or if every sample is censored and
// nothing is known of how long it took.
func (d *Distribution) Quantile(q float64) (v Bound, ok bool) {
	if d.Total() == 0 {
		return Bound{}, false
	}
	rank := d.rank(q)
	if d.censored == 0 {
		return Bound{NS: d.at(rank)}, true
	}
	// Censored samples are put at the least they can be. Up to there the
	// order of all samples is certain, from there on it is a lower bound.
	limit := d.atLeast
	if limit == 0 {
		if d.count == 0 {
			return Bound{}, false
		}
		limit = d.buckets[len(d.buckets)-1].value
	}
	certain := d.upTo(limit)
	switch {
	case rank <= certain:
		return Bound{NS: d.at(rank)}, true
	case rank <= certain+d.censored:
		return Bound{NS: limit, AtLeast: true}, true
	default:
		return Bound{NS: d.at(rank - d.censored), AtLeast: true}, true
	}
}

// Share returns the part of all samples that took at most ns, between 0 and
// 1. It never counts a censored sample, so that it stays below 1 if there is
// one. It is 0 for an empty distribution.
func (d *Distribution) Share(ns int64) float64 {
	if d.Total() == 0 {
		return 0
	}
	return float64(d.upTo(ns)) / float64(d.Total())
}

// Values returns the distinct recorded durations in ns, ascending.
func (d *Distribution) Values() []int64 {
	values := make([]int64, len(d.buckets))
	for i, b := range d.buckets {
		values[i] = b.value
	}
	return values
}

// at returns the recorded value with the given rank, from 1.
func (d *Distribution) at(rank int64) int64 {
	var seen int64
	for _, b := range d.buckets {
		if seen += b.count; seen >= rank {
			return b.value
		}
	}
	return 0
}

// upTo counts the recorded values of at most limit.
func (d *Distribution) upTo(limit int64) int64 {
	var n int64
	for _, b := range d.buckets {
		if b.value > limit {
			break
		}
		n += b.count
	}
	return n
}
