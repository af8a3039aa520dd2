package reports

import (
	"slices"
	"testing"

	"svcbench/internal/results"
)

const ms = 1_000_000

// TestChangeSamples checks which changes are samples of what.
func TestChangeSamples(t *testing.T) {
	changes := []results.Change{
		{Kind: "replace-endpoints", Served: true, Due: 90 * ms, Sent: 100 * ms, Acked: 105 * ms, FirstNew: 300 * ms, LastOld: 250 * ms, OldSettled: 400 * ms, GaveUp: 400 * ms, LastFailed: 260 * ms},
		{Kind: "add-endpoint", Only: results.OnlyNew, Served: true, Due: 100 * ms, Sent: 100 * ms, Acked: 110 * ms, FirstNew: 500 * ms, GaveUp: 500 * ms},
		{Kind: "add-endpoint", Only: results.OnlyNew, Due: 100 * ms, Sent: 100 * ms, Acked: 101 * ms, GaveUp: 20_100 * ms},
		{Kind: "remove-endpoint", Only: results.OnlyOld, Due: 100 * ms, Sent: 100 * ms, Acked: 101 * ms, LastOld: 700 * ms, OldSettled: 800 * ms, GaveUp: 900 * ms},
		{Kind: "remove-endpoint", Only: results.OnlyOld, Due: 100 * ms, Sent: 100 * ms, Acked: 101 * ms, LastOld: 20_000 * ms, GaveUp: 20_100 * ms},
		{Kind: "flap-up", Only: results.OnlyNew, Unseen: results.UnseenMoot, Due: 100 * ms, Sent: 101 * ms, Acked: 102 * ms, FirstNew: 1 * ms},
		{Kind: "replace-endpoints", Unseen: results.UnseenNotWatched, Due: 100 * ms, Sent: 101 * ms, Acked: 102 * ms, GaveUp: 103 * ms},
		{Kind: "replace-endpoints", Error: "conflict", Due: 100 * ms, Sent: 101 * ms},
	}
	got := newChangeSamples(changes).distributions()
	for _, want := range []struct {
		metric, class              string
		samples, censored, largest int64
	}{
		{results.ProgrammingAdd, results.ClassAll, 2, 1, 400},
		{results.ProgrammingAdd, "add-endpoint", 1, 1, 400},
		{results.ProgrammingAdd, "replace-endpoints", 1, 0, 200},
		{results.ProgrammingRemove, results.ClassAll, 2, 1, 600},
		{results.ProgrammingRemove, "remove-endpoint", 1, 1, 600},
		{results.ProgrammingFailing, results.ClassAll, 2, 0, 160},
		{results.ProgrammingWrite, results.ClassAll, 7, 0, 10},
		{results.ChurnLag, results.ClassAll, 8, 0, 10},
	} {
		d := got[sampleKey{want.metric, want.class}]
		if d == nil || d.Count() != want.samples || d.Censored() != want.censored || slices.Max(d.Values()) != want.largest*ms {
			t.Errorf("%s of %s: %+v, want %+v", want.metric, want.class, d, want)
		}
	}
	if got[sampleKey{results.ProgrammingAdd, "remove-endpoint"}] != nil || got[sampleKey{results.ProgrammingTable, results.ClassAll}] != nil {
		t.Errorf("more was derived than there is: %v", got)
	}
	failed := newChangeSamples(changes).failed
	if failed[sampleKey{results.ProgrammingAdd, results.ClassAll}] != 1 || failed[sampleKey{results.ProgrammingAdd, "replace-endpoints"}] != 1 || failed[sampleKey{results.ProgrammingAdd, "add-endpoint"}] != 0 {
		t.Errorf("failed %v", failed)
	}
}

// One kind alone has no class of its own.
func TestOneKindOfChange(t *testing.T) {
	change := results.Change{Kind: "replace-endpoints", Sent: 1, Acked: 2, FirstNew: 3, OldSettled: 4, Programmed: 5}
	got := newChangeSamples([]results.Change{change, change}).distributions()
	for key := range got {
		if key.class != results.ClassAll {
			t.Errorf("class %s", key.class)
		}
	}
	if d := got[sampleKey{results.ProgrammingTable, results.ClassAll}]; d == nil || d.Count() != 2 {
		t.Errorf("tables: %+v", d)
	}
}

func TestSaturation(t *testing.T) {
	// steady changes take 100 ms, waiting ones longer and longer.
	step := func(rate float64, n int, took func(i int) int64) (changes []results.Change) {
		for i := range n {
			due := int64(rate)*100_000*ms + int64(i)*100*ms
			changes = append(changes, results.Change{Rate: rate, Due: due, Sent: due, FirstNew: due + took(i)*ms, GaveUp: due + took(i)*ms, OldSettled: due + took(i)*ms})
		}
		return changes
	}
	steady := func(int) int64 { return 100 }
	waiting := func(i int) int64 { return 100 + 400*int64(i) }
	late := step(100, 30, steady)
	for i := range late {
		late[i].Sent += 5_000 * ms
		late[i].FirstNew += 5_000 * ms
	}
	for _, test := range []struct {
		what    string
		changes []results.Change
		ok      bool
		want    limit
	}{
		{"one rate", step(10, 30, waiting), false, limit{}},
		{"keeps up", slices.Concat(step(1, 10, steady), step(10, 30, steady)), true, limit{10, true}},
		{"waits in the second", slices.Concat(step(1, 10, steady), step(10, 30, waiting), step(100, 30, steady)), true, limit{1, false}},
		{"waits in the first", slices.Concat(step(1, 10, waiting), step(10, 30, waiting)), true, limit{0, false}},
		{"is not written in time", slices.Concat(step(1, 10, steady), late), true, limit{1, true}},
		{"has too few to say", slices.Concat(step(1, 2, waiting), step(2, 2, waiting)), true, limit{2, true}},
	} {
		if got, ok := saturation(test.changes); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %t, want %+v, %t", test.what, got, ok, test.want, test.ok)
		}
	}
}

// What is overtaken took longer than that, and is not lost; what flaps is apart.
func TestBounds(t *testing.T) {
	got := newChangeSamples([]results.Change{
		{Kind: "rolling-update", Unseen: results.UnseenOvertaken, Sent: 100 * ms, Acked: 101 * ms, FirstNew: 200 * ms, LastOld: 900 * ms, GaveUp: 1100 * ms},
		{Kind: "flap-down", Only: results.OnlyOld, Unseen: results.UnseenOvertaken, Sent: 100 * ms, Acked: 101 * ms, LastOld: 290 * ms, GaveUp: 300 * ms},
		{Kind: "node-lost", Only: results.OnlyOld, Served: true, Sent: 100 * ms, Acked: 101 * ms, LastOld: 29_990 * ms, LastFailed: 29_990 * ms, GaveUp: 30_100 * ms},
		{Kind: "replace-endpoints", Sent: 100 * ms, Acked: 101 * ms, GaveUp: 100 * ms},
	}).distributions()
	for _, want := range []struct {
		metric, class     string
		samples, censored int64
	}{
		{results.ProgrammingAdd, "rolling-update", 1, 0},
		{results.ProgrammingRemove, "rolling-update", 0, 1},
		{results.ProgrammingRemove, "flap-down", 0, 1},
		{results.ProgrammingRemove, results.ClassAll, 0, 3},
		{results.ProgrammingFailing, "node-lost", 0, 1},
		{results.ProgrammingAdd, "replace-endpoints", 0, 1},
	} {
		if d := got[sampleKey{want.metric, want.class}]; d == nil || d.Count() != want.samples || d.Censored() != want.censored {
			t.Errorf("%s of %s: %+v, want %+v", want.metric, want.class, d, want)
		}
	}
}

// A storm is over when traffic obeys the last of its changes.
func TestStorm(t *testing.T) {
	changes := []results.Change{
		{Kind: "storm-up", Only: results.OnlyNew, Due: 90 * ms, Sent: 100 * ms, FirstNew: 300 * ms, GaveUp: 300 * ms},
		{Kind: "storm-up", Only: results.OnlyNew, Due: 90 * ms, Sent: 200 * ms, FirstNew: 800 * ms, GaveUp: 800 * ms},
		{Kind: "storm-up", Only: results.OnlyNew, Due: 90 * ms, Sent: 250 * ms, Unseen: results.UnseenNotWatched, GaveUp: 260 * ms},
		{Kind: "storm-down", Only: results.OnlyOld, Due: 5_000 * ms, Sent: 5_001 * ms, LastOld: 5_300 * ms, OldSettled: 5_400 * ms, GaveUp: 5_400 * ms},
		{Kind: "storm-down", Only: results.OnlyOld, Due: 5_000 * ms, Sent: 5_002 * ms, LastOld: 9_000 * ms, GaveUp: 9_001 * ms},
		{Kind: "replace-endpoints", Due: 7_000 * ms, Sent: 7_000 * ms, FirstNew: 7_100 * ms, OldSettled: 7_200 * ms},
	}
	d := newChangeSamples(changes).distributions()[sampleKey{results.ProgrammingStorm, results.ClassAll}]
	if d == nil || d.Count() != 1 || d.Values()[0] != 710*ms || d.Censored() != 1 {
		t.Errorf("storms %+v", d)
	}
}

func TestWaits(t *testing.T) {
	got := waits([]results.Change{
		{Sent: 10, FirstNew: 30, LastOld: 50, OldSettled: 60},
		{Sent: 20, Only: results.OnlyOld, LastOld: 25, OldSettled: 60},
		{Sent: 22, Unseen: results.UnseenNotWatched},
		{Sent: 40, GaveUp: 100},
		{Sent: 60, FirstNew: 70, GaveUp: 200},
	})
	want := []wait{{10, 1}, {20, 1}, {25, -1}, {40, 1}, {50, -1}, {60, 1}, {100, -1}, {200, -1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
