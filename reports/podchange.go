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
	gap                  []int64 // where one pod takes the place of another
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
		if ch.GaveUp > ch.Sliced { // else it was not the mode that was late
			p.trafficLate = append(p.trafficLate, ch.GaveUp-ch.Sliced)
		}
		return
	}
	p.total = append(p.total, max(0, ch.FirstNew-ch.Sent))
	p.traffic = append(p.traffic, max(0, ch.FirstNew-ch.Sliced))
	if ch.Unsliced != 0 {
		p.gap = append(p.gap, max(0, ch.FirstNew-max(ch.LastOld, ch.Sent)))
	}
}

// went splits the leaving of a pod. While a Service has no other, connections go to
// a pod that ends on purpose: modes can send them elsewhere only from when its
// successor is an endpoint, and if it has stopped by itself before that, there is
// nothing to be said of them.
func (p *podChanges) went(ch results.Change) {
	from := max(ch.Unsliced, ch.Sliced)
	if ch.OldSettled == 0 {
		p.removedLate = append(p.removedLate, max(0, ch.GaveUp-ch.Sent))
		if ch.GaveUp > from {
			p.leftLate = append(p.leftLate, ch.GaveUp-from)
		}
		return
	}
	p.removed = append(p.removed, max(0, ch.LastOld-ch.Sent))
	if from == ch.Unsliced || ch.LastOld >= from {
		p.left = append(p.left, max(0, ch.LastOld-from))
	}
}

// distributions are by metric, without those that have no samples.
func (p *podChanges) distributions() map[string]*stats.Distribution {
	all := map[string]*stats.Distribution{}
	if len(p.ready) > 0 {
		all[results.PodTotal] = stats.FromDurations(p.total, p.totalLate)
		all[results.PodReady] = stats.FromDurations(p.ready, nil)
		all[results.PodSlice] = stats.FromDurations(p.slice, nil)
	}
	for metric, samples := range map[string][2][]int64{
		results.PodTraffic: {p.traffic, p.trafficLate},
		results.PodRemove:  {p.removed, p.removedLate},
		results.PodLeave:   {p.left, p.leftLate},
		results.PodGap:     {p.gap},
	} {
		if len(samples[0])+len(samples[1]) > 0 {
			all[metric] = stats.FromDurations(samples[0], samples[1])
		}
	}
	return all
}
