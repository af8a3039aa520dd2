package churn

import (
	"math/rand/v2"
	"time"

	"svcbench/scenarios"
)

// Due is when a change is to be made.
type Due struct {
	// At is counted from the beginning of the churn.
	At time.Duration
	// Rate is how many changes a second there are at that time.
	Rate float64
}

// Count is how many changes a churn makes.
func Count(c *scenarios.Churn) int {
	n := 0
	for _, rate := range c.Steps() {
		n += count(rate, c.Duration.Std())
	}
	return n
}

func count(rate float64, duration time.Duration) int {
	const rounding = 1e-9 // 0.1/s for 30 s are three
	return max(1, int(rate*duration.Seconds()+rounding))
}

// Schedule returns when each change is due: at a random moment of its share of
// the time. With equal distances they would keep step with a proxy that syncs
// once a second and all meet it at the same moments of its pause.
func Schedule(c *scenarios.Churn, r *rand.Rand) []Due {
	due := make([]Due, 0, Count(c))
	var start time.Duration
	for _, rate := range c.Steps() {
		for i := range count(rate, c.Duration.Std()) {
			at := time.Duration((float64(i) + r.Float64()) / rate * float64(time.Second))
			due = append(due, Due{At: start + at, Rate: rate})
		}
		start += c.Duration.Std() + scenarios.StepRest
	}
	return due
}

// Change is a change that is planned.
type Change struct {
	Due
	// Kind is the index of its kind.
	Kind int
	// First is the number of its first move, from 0; those of all moves of all
	// changes follow one another.
	First int
	// Spare is the number of the first set of endpoints that it may need.
	Spare int
	// Watched says whether traffic watches for it.
	Watched bool
}

// Plan returns all changes of a churn of so many Services, the share watched of
// them, or more, to be watched for. It is the same in every mode.
func Plan(c *scenarios.Churn, kinds []Kind, services int, watched func(rate float64) float64, r *rand.Rand) []Change {
	var plan []Change
	first, spare := 0, 0
	for n, due := range Schedule(c, r) {
		kind := n % len(kinds)
		plan = append(plan, Change{Due: due, Kind: kind, First: first, Spare: spare, Watched: r.Float64() < watched(due.Rate)})
		group := kinds[kind].Group(c, services)
		first += group * kinds[kind].Writes
		spare += group
	}
	return plan
}

// Spares is how many sets of endpoints a churn may need beside those that there
// are at first.
func Spares(c *scenarios.Churn, kinds []Kind, services int) int {
	n := 0
	for i := range Count(c) {
		n += kinds[i%len(kinds)].Group(c, services)
	}
	return n
}
