package reports

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"svcbench/internal/results"
)

// limit is the highest rate of changes at which they did not wait for one another;
// atLeast says that no higher one was tried, or could be sent.
type limit struct {
	rate    float64
	atLeast bool
}

const (
	// growth is how much longer changes take towards the end of a step than at
	// its beginning when they wait for one another, and growing how much that
	// must be at least: more than a sync comes earlier or later by chance.
	growth  = 2
	growing = time.Second
	// kept is the share of the writes that must have been sent in time: what
	// is not sent does not load the mode.
	kept = 0.9
)

// saturation finds the limit in changes whose rate rises, and false if their rate
// is the same all the time. A mode that has not kept up with the lowest rate has
// the limit 0.
func saturation(changes []results.Change) (limit, bool) {
	steps := map[float64][]results.Change{}
	for _, ch := range changes {
		if ch.Rate != 0 {
			steps[ch.Rate] = append(steps[ch.Rate], ch)
		}
	}
	if len(steps) < 2 {
		return limit{}, false
	}
	var last float64
	for _, rate := range slices.Sorted(maps.Keys(steps)) {
		if !bounded(steps[rate]) {
			return limit{rate: last}, true
		}
		if !intime(steps[rate]) { // that is the API server's limit, and not the mode's
			break
		}
		last = rate
	}
	return limit{rate: last, atLeast: true}, true
}

// intime reports whether changes at one rate were written in time.
func intime(changes []results.Change) bool {
	n := 0
	for _, ch := range changes {
		if ch.Sent != 0 && ch.Sent-ch.Due < growing.Nanoseconds() {
			n++
		}
	}
	return float64(n) >= kept*float64(len(changes))
}

// bounded reports whether changes at one rate took no longer towards the end than
// at the beginning.
func bounded(changes []results.Change) bool {
	slices.SortFunc(changes, func(a, b results.Change) int { return cmp.Compare(a.Due, b.Due) })
	var took []int64
	for _, ch := range changes {
		if v, ok := latency(ch); ok {
			took = append(took, v)
		}
	}
	third := len(took) / 3
	if third == 0 {
		return true // too few to say
	}
	first, end := middle(took[:third]), middle(took[len(took)-third:])
	return end < growth*first || end-first < growing.Nanoseconds()
}

// latency is how long traffic took to obey a change, or how long it had not when
// that was given up; false if it was not watched for.
func latency(ch results.Change) (int64, bool) {
	if ch.Error != "" || ch.Unseen != "" {
		return 0, false
	}
	if at, ok := obeyedAt(ch); ok {
		return at - ch.Sent, true
	}
	return max(0, ch.GaveUp-ch.Sent), true
}

// middle is the median of values.
func middle(values []int64) int64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
