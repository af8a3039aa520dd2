package reports

import (
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// rollout are the parts of programming latencies of pods that were rolled.
type rollout struct{ ready, slice, traffic, trafficLate []int64 }

// add splits a change, if it was the rollout of a pod. The watcher of the API and
// the one of traffic are two: a connection may be seen before the EndpointSlice
// that led it there.
func (r *rollout) add(ch results.Change) {
	if ch.Ready == 0 || ch.Sliced == 0 {
		return
	}
	r.ready = append(r.ready, max(0, ch.Ready-ch.Sent))
	r.slice = append(r.slice, max(0, ch.Sliced-ch.Ready))
	if ch.FirstNew == 0 {
		r.trafficLate = append(r.trafficLate, max(0, ch.GaveUp-ch.Sliced))
		return
	}
	r.traffic = append(r.traffic, max(0, ch.FirstNew-ch.Sliced))
}

// distributions are by metric; none if no pod was rolled.
func (r *rollout) distributions() map[string]*stats.Distribution {
	if len(r.ready) == 0 {
		return nil
	}
	return map[string]*stats.Distribution{
		results.ProgrammingReady:   stats.FromDurations(r.ready, nil),
		results.ProgrammingSlice:   stats.FromDurations(r.slice, nil),
		results.ProgrammingTraffic: stats.FromDurations(r.traffic, r.trafficLate),
	}
}
