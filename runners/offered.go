package runners

import (
	"time"

	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/httpload"
)

// offered is how far the load of a trial was from what was planned, in its worst phase.
// All are shares.
type offered struct {
	// unsent are connections and requests that were never begun.
	unsent float64
	// late are connections that began only after the next one was due. Requests are
	// none of it: theirs are in the response times, and may be the fault of who answers.
	late float64
	// failed are connections and requests without an answer.
	failed float64
	// paused is the share of the time in which a client stood still to collect garbage.
	paused float64
}

// worse returns the larger of each.
func (o offered) worse(other offered) offered {
	return offered{
		unsent: max(o.unsent, other.unsent), late: max(o.late, other.late),
		failed: max(o.failed, other.failed), paused: max(o.paused, other.paused),
	}
}

// connectionsOffered is what a connector says of itself.
func connectionsOffered(r *connect.Result) offered {
	var failed int64
	for _, c := range r.Classes {
		failed += c.Started - c.Established
	}
	return offered{
		unsent: shareOf(r.Dropped, r.Due), late: shareOf(r.Late, r.Started), failed: shareOf(failed, r.Started),
		paused: pausedOf(r.Health.Paused, r.Health.Elapsed),
	}
}

// requestsOffered is what a client of HTTP says of itself.
func requestsOffered(r *httpload.Result) offered {
	return offered{
		unsent: shareOf(r.Dropped, r.Due), failed: shareOf(r.Sent-r.Count, r.Sent),
		paused: pausedOf(r.Health.Paused, r.Health.Elapsed),
	}
}

func shareOf(part, all int64) float64 { return float64(part) / float64(max(1, all)) }

func pausedOf(paused, elapsed time.Duration) float64 {
	return paused.Seconds() / max(elapsed, time.Nanosecond).Seconds()
}
