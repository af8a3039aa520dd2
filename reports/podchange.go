package reports

import (
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// podChanges are the latencies of changes to real pods, and their parts.
type podChanges struct {
	ready, slice         []int64
	total, totalLate     []int64
	traffic, trafficLate []int64
	removed, removedLate []int64
	left, leftLate       []int64
}

// isPodChange reports whether a change is one of real pods.
func isPodChange(ch results.Change) bool { return ch.Sliced != 0 || ch.Unsliced != 0 }

// add splits a change: the coming of a pod, the leaving of one, or both.
func (p *podChanges) add(ch results.Change) {
	if ch.Sliced != 0 {
		p.came(ch)
	}
	if ch.Unsliced != 0 {
		p.went(ch)
	}
}

// came splits the coming of a pod. The watcher of the API and the one of traffic
// are two: a connection may be seen before the EndpointSlice that led it there.
func (p *podChanges) came(ch results.Change) {
	p.ready = append(p.ready, max(0, ch.Ready-ch.Sent))
	p.slice = append(p.slice, max(0, ch.Sliced-ch.Ready))
	if ch.FirstNew == 0 {
		p.totalLate = append(p.totalLate, max(0, ch.GaveUp-ch.Sent))
		p.trafficLate = append(p.trafficLate, max(0, ch.GaveUp-ch.Sliced))
		return
	}
	p.total = append(p.total, max(0, ch.FirstNew-ch.Sent))
	p.traffic = append(p.traffic, max(0, ch.FirstNew-ch.Sliced))
}

// went splits the leaving of a pod.
func (p *podChanges) went(ch results.Change) {
	if ch.OldSettled == 0 {
		p.removedLate = append(p.removedLate, max(0, ch.GaveUp-ch.Sent))
		p.leftLate = append(p.leftLate, max(0, ch.GaveUp-ch.Unsliced))
		return
	}
	p.removed = append(p.removed, max(0, ch.LastOld-ch.Sent))
	p.left = append(p.left, max(0, ch.LastOld-ch.Unsliced))
}

// distributions are by metric, without those that have no samples.
func (p *podChanges) distributions() map[string]*stats.Distribution {
	all := map[string]*stats.Distribution{}
	if len(p.ready) > 0 {
		all[results.PodTotal] = stats.FromDurations(p.total, p.totalLate)
		all[results.PodReady] = stats.FromDurations(p.ready, nil)
		all[results.PodSlice] = stats.FromDurations(p.slice, nil)
		all[results.PodTraffic] = stats.FromDurations(p.traffic, p.trafficLate)
	}
	if len(p.removed)+len(p.removedLate) > 0 {
		all[results.PodRemove] = stats.FromDurations(p.removed, p.removedLate)
		all[results.PodLeave] = stats.FromDurations(p.left, p.leftLate)
	}
	return all
}
