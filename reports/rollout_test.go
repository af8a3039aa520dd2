package reports

import (
	"testing"

	"svcbench/internal/results"
)

func TestRollout(t *testing.T) {
	const ms = 1_000_000
	var r rollout
	if len(r.distributions()) != 0 {
		t.Error("there are parts of no rollout")
	}
	for _, ch := range []results.Change{
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1110 * ms, FirstNew: 1500 * ms},
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1099 * ms, FirstNew: 1098 * ms}, // seen in another order
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1110 * ms, GaveUp: 31_110 * ms}, // traffic never came
	} {
		r.add(ch)
	}
	for metric, want := range map[string][2]int64{
		results.PodReady: {3, 0}, results.PodSlice: {3, 0}, results.PodTraffic: {2, 1}, results.PodTotal: {2, 1}, results.PodRemove: {0, 3},
	} {
		d := r.distributions()[metric]
		if got := [2]int64{d.Total() - d.Censored(), d.Censored()}; got != want {
			t.Errorf("%s has %d samples and %d censored, want %d", metric, got[0], got[1], want)
		}
	}
}
