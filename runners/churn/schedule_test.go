package churn

import (
	"math/rand/v2"
	"testing"
	"time"

	"svcbench/scenarios"
)

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestSchedule(t *testing.T) {
	c := &scenarios.Churn{Rate: 5, Duration: scenarios.Duration(20 * time.Second)}
	got := Schedule(c, source())
	if len(got) != 100 {
		t.Fatalf("%d changes", len(got))
	}
	distances := map[time.Duration]bool{}
	for i, due := range got {
		slot := time.Duration(i) * 200 * time.Millisecond
		if due.At < slot || due.At >= slot+200*time.Millisecond || due.Rate != 5 {
			t.Errorf("change %d is due at %+v, outside its share of the time", i, due)
		}
		if i > 0 {
			distances[(due.At - got[i-1].At).Round(time.Millisecond)] = true
		}
	}
	if len(distances) < 50 {
		t.Errorf("only %d different distances: the schedule could keep step with the proxy", len(distances))
	}
	if n := Count(&scenarios.Churn{Rate: 0.1, Duration: scenarios.Duration(30 * time.Second)}); n != 3 {
		t.Errorf("0.1/s for 30 s are %d changes", n)
	}
}

// Rates are tried one after the other, with a rest between them.
func TestScheduleOfRates(t *testing.T) {
	c := &scenarios.Churn{Rates: []float64{2, 10}, Duration: scenarios.Duration(5 * time.Second)}
	got := Schedule(c, source())
	if len(got) != 60 || got[9].Rate != 2 || got[10].Rate != 10 {
		t.Fatalf("%d changes: %+v", len(got), got)
	}
	if second := c.Duration.Std() + scenarios.StepRest; got[9].At >= c.Duration.Std() || got[10].At < second || got[59].At >= c.Length() {
		t.Errorf("the steps are at %v, %v and %v, want the second from %v to %v", got[9].At, got[10].At, got[59].At, second, c.Length())
	}
}

// A plan gives every move a number of its own and every change endpoints of its own.
func TestPlan(t *testing.T) {
	c := &scenarios.Churn{
		Kinds: []scenarios.ChurnKind{scenarios.Flap, scenarios.ScaleStorm}, Rate: 1, Share: 0.2, Duration: scenarios.Duration(4 * time.Second),
	}
	kinds, err := All(c)
	if err != nil {
		t.Fatal(err)
	}
	all := func(float64) float64 { return 1 }
	plan := Plan(c, kinds, 50, all, source())
	want := []struct{ kind, first, spare int }{{0, 0, 0}, {1, 2, 1}, {0, 12, 11}, {1, 14, 12}}
	for i, w := range want {
		if p := plan[i]; p.Kind != w.kind || p.First != w.first || p.Spare != w.spare || !p.Watched {
			t.Errorf("change %d: %+v, want %+v", i, p, w)
		}
	}
	if n := Spares(c, kinds, 50); n != 22 {
		t.Errorf("%d sets of endpoints, want 22", n)
	}
	for _, p := range Plan(c, kinds, 50, func(float64) float64 { return 0 }, source()) {
		if p.Watched {
			t.Error("a change is watched that should not be")
		}
	}
}

func TestPool(t *testing.T) {
	for _, test := range []struct {
		kind             Kind
		rate             float64
		available, group int
		want             int
	}{
		{Kind{}, 4, 1000, 1, 120},
		{Kind{}, 4, 85, 1, 43},
		{Kind{}, 0.1, 1000, 1, 6},
		{Kind{}, 0.1, 1, 1, 1},
		{Kind{few: true}, 4, 1000, 1, 12},
		{Kind{Grouped: true}, 0.1, 1000, 100, 100},
		{Kind{Grouped: true}, 0.1, 1000, 800, 800},
		{Kind{Grouped: true}, 0.1, 1000, 2000, 1000},
	} {
		if got := test.kind.Pool(&scenarios.Churn{}, test.rate, test.available, test.group); got != test.want {
			t.Errorf("%+v at %v/s of %d: %d, want %d", test.kind, test.rate, test.available, got, test.want)
		}
	}
}
