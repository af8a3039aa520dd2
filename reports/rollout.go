package reports

import (
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// rollout are the latencies of pods that were rolled, and their parts.
type rollout struct {
	ready, slice         []int64
	total, totalLate     []int64
	traffic, trafficLate []int64
	removed, removedLate []int64
}

// add splits a change. The watcher of the API and the one of traffic are two: a
// connection may be seen before the EndpointSlice that led it there.
func (r *rollout) add(ch results.Change) {
	r.ready = append(r.ready, max(0, ch.Ready-ch.Sent))
	r.slice = append(r.slice, max(0, ch.Sliced-ch.Ready))
	if ch.FirstNew == 0 {
		r.totalLate = append(r.totalLate, max(0, ch.GaveUp-ch.Sent))
		r.trafficLate = append(r.trafficLate, max(0, ch.GaveUp-ch.Sliced))
	} else {
		r.total = append(r.total, max(0, ch.FirstNew-ch.Sent))
		r.traffic = append(r.traffic, max(0, ch.FirstNew-ch.Sliced))
	}
	if ch.OldSettled == 0 {
		r.removedLate = append(r.removedLate, max(0, ch.GaveUp-ch.Sent))
	} else {
		r.removed = append(r.removed, max(0, ch.LastOld-ch.Sent))
	}
}

// distributions are by metric; none if no pod was rolled.
func (r *rollout) distributions() map[string]*stats.Distribution {
	if len(r.ready) == 0 {
		return nil
	}
	return map[string]*stats.Distribution{
		results.PodTotal:   stats.FromDurations(r.total, r.totalLate),
		results.PodReady:   stats.FromDurations(r.ready, nil),
		results.PodSlice:   stats.FromDurations(r.slice, nil),
		results.PodTraffic: stats.FromDurations(r.traffic, r.trafficLate),
		results.PodRemove:  stats.FromDurations(r.removed, r.removedLate),
	}
}
