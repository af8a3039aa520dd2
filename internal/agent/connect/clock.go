package connect

import (
	"time"

	"svcbench/internal/agent"
)

// clock reads CLOCK_MONOTONIC through the Go runtime, which needs no system
// call: a tenth of the cost of agent.Now, taken thrice a connection.
type clock struct {
	base time.Time
	at   int64 // base in ns of CLOCK_MONOTONIC
}

// newClock compares the two readings of the clock a few times and keeps the
// closest pair.
func newClock() clock {
	var c clock
	closest := time.Duration(-1)
	for range 32 {
		before := time.Now()
		at := agent.Now()
		if gap := time.Since(before); closest < 0 || gap < closest {
			closest = gap
			c = clock{base: before, at: at - gap.Nanoseconds()/2}
		}
	}
	return c
}

func (c *clock) now() int64 { return c.at + int64(time.Since(c.base)) }
