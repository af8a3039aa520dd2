package reports

import (
	"slices"
	"testing"

	"svcbench/internal/results"
)

func TestPodChanges(t *testing.T) {
	const ms = 1_000_000
	var p podChanges
	if len(p.distributions()) != 0 {
		t.Error("there are parts of no change")
	}
	for _, ch := range []results.Change{
		// One comes and one goes.
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1110 * ms, FirstNew: 1500 * ms, Unsliced: 1200 * ms, LastOld: 1600 * ms, OldSettled: 1700 * ms},
		// One comes, seen in another order.
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1099 * ms, FirstNew: 1098 * ms, OldSettled: 1098 * ms},
		// One comes, and traffic never does.
		{Sent: 100 * ms, Ready: 1100 * ms, Sliced: 1110 * ms, GaveUp: 31_110 * ms},
		// One comes when nobody looks any more, which is no fault of the mode.
		{Sent: 100 * ms, Ready: 31_000 * ms, Sliced: 31_010 * ms, GaveUp: 30_100 * ms},
		// One goes, and no connection reached it any more.
		{Sent: 100 * ms, Unsliced: 120 * ms, OldSettled: 500 * ms},
		// One goes, and connections do not stop.
		{Sent: 100 * ms, Unsliced: 120 * ms, LastOld: 30_000 * ms, GaveUp: 30_120 * ms},
		// One goes and stops before another is there: a gap, and nothing of the mode.
		{Sent: 100 * ms, Unsliced: 120 * ms, LastOld: 2_000 * ms, Ready: 3_000 * ms, Sliced: 3_010 * ms, FirstNew: 3_500 * ms, OldSettled: 3_600 * ms},
		// One goes, and is reached until some time after another is there.
		{Sent: 100 * ms, Unsliced: 120 * ms, LastOld: 1_700 * ms, Ready: 1_400 * ms, Sliced: 1_410 * ms, FirstNew: 1_500 * ms, OldSettled: 1_800 * ms},
	} {
		if !isPodChange(ch) {
			t.Errorf("%+v is none", ch)
		}
		p.add(ch)
	}
	for metric, want := range map[string]struct{ samples, censored, largest int64 }{
		results.PodReady:   {6, 0, 30_900 * ms},
		results.PodSlice:   {6, 0, 10 * ms},
		results.PodTraffic: {4, 1, 490 * ms},
		results.PodTotal:   {4, 2, 3_400 * ms},
		results.PodRemove:  {4, 1, 1_900 * ms},
		results.PodLeave:   {3, 1, 400 * ms},
		results.PodGap:     {3, 0, 1_500 * ms},
	} {
		d := p.distributions()[metric]
		if d.Count() != want.samples || d.Censored() != want.censored || slices.Max(d.Values()) != want.largest {
			t.Errorf("%s has samples %d and %d censored, want %+v", metric, d.Values(), d.Censored(), want)
		}
	}
}

// Where pods only leave there is nothing to say of those that come.
func TestPodsThatLeave(t *testing.T) {
	var p podChanges
	p.add(results.Change{Sent: 1, Unsliced: 2, LastOld: 3, OldSettled: 4})
	if d := p.distributions(); len(d) != 2 || d[results.PodRemove] == nil || d[results.PodLeave] == nil {
		t.Errorf("distributions %v", d)
	}
	if isPodChange(results.Change{FirstNew: 1, OldSettled: 2}) {
		t.Error("a change of endpoints is taken for one of pods")
	}
}
