package stats

import (
	"math/rand/v2"
	"testing"
)

func TestQuantile(t *testing.T) {
	ten := []int64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	for _, test := range []struct {
		name      string
		durations []int64
		censored  []int64
		q         float64
		want      Bound
	}{
		{"median of an even number is the lower one", ten, nil, 0.5, Bound{NS: 50}},
		{"nearest rank is not pushed up by rounding", ten, nil, 0.9, Bound{NS: 90}},
		{"first", ten, nil, 0, Bound{NS: 10}},
		{"last", ten, nil, 1, Bound{NS: 100}},
		{"time-outs move the median up", ten, []int64{500, 500, 500, 500}, 0.5, Bound{NS: 70}},
		{"among the time-outs it is a lower bound", ten, []int64{500, 400}, 0.99, Bound{NS: 400, AtLeast: true}},
		{"all timed out", nil, []int64{500, 400}, 0.5, Bound{NS: 400, AtLeast: true}},
		{"a time-out below recorded values makes those above it uncertain", ten, []int64{35}, 0.5, Bound{NS: 50, AtLeast: true}},
		{"and leaves those below it certain", ten, []int64{35}, 0.2, Bound{NS: 30}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := FromDurations(test.durations, test.censored).Quantile(test.q)
			if !ok || got != test.want {
				t.Errorf("Quantile(%v) = %+v, %v; want %+v", test.q, got, ok, test.want)
			}
		})
	}
}

func TestQuantileOfNothing(t *testing.T) {
	if v, ok := FromDurations(nil, nil).Quantile(0.5); ok {
		t.Errorf("an empty distribution has the median %+v", v)
	}
	if v, ok := NewDistribution(NewHistogram(), 5).Quantile(0.5); ok {
		t.Errorf("time-outs without a known length have the median %+v", v)
	}
}

func TestCensoredHistogram(t *testing.T) {
	h := NewHistogram()
	for range 90 {
		h.Record(1000)
	}
	d := MergeDistributions(NewDistribution(h, 10), NewDistribution(NewHistogram(), 0))
	if got, _ := d.Quantile(0.9); got.AtLeast {
		t.Errorf("p90 with 90 of 100 known is a bound: %+v", got)
	}
	got, _ := d.Quantile(0.91)
	if !got.AtLeast || got.NS < 1000 {
		t.Errorf("p91 with 90 of 100 known = %+v, want at least 1000", got)
	}
	if share := d.Share(1 << 40); share != 0.9 {
		t.Errorf("share below a long time = %v, want 0.9", share)
	}
}

// TestSupports compares with the sample sizes of textbooks: log(0.025)/log(q),
// rounded up, for samples taken one by one.
func TestSupports(t *testing.T) {
	for _, test := range []struct {
		n               int
		q               float64
		counted, single bool
	}{
		{5, 0.5, false, false}, {6, 0.5, false, true}, {19, 0.5, false, true}, {20, 0.5, true, true},
		{35, 0.9, false, false}, {36, 0.9, false, true}, {99, 0.9, false, true}, {100, 0.9, true, true},
		{367, 0.99, false, false}, {368, 0.99, false, true}, {999, 0.99, false, true}, {1000, 0.99, true, true},
		{368, 0.01, false, true}, {900, 0.01, false, true}, {1000, 0.01, true, true},
		{0, 0.5, false, false},
	} {
		h := NewHistogram()
		for range test.n {
			h.Record(1000)
		}
		if got := NewDistribution(h, 0).Supports(test.q); got != test.counted {
			t.Errorf("%d counted samples support %v: %v, want %v", test.n, test.q, got, test.counted)
		}
		half := test.n / 2
		single := MergeDistributions(FromDurations(make([]int64, half), nil), FromDurations(make([]int64, test.n-half), nil))
		if got := single.Supports(test.q); got != test.single {
			t.Errorf("%d single samples support %v: %v, want %v", test.n, test.q, got, test.single)
		}
	}
}

// TestMerge checks that merged histograms have the quantiles of all samples
// together, to the precision of a histogram, in whatever order they merge.
func TestMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []int64
	var parts []*Distribution
	for range 5 {
		h := NewHistogram()
		for range 1 + random.IntN(500) {
			v := int64(1 + random.ExpFloat64()*1e5)
			h.Record(v)
			all = append(all, v)
		}
		parts = append(parts, NewDistribution(h, 0))
	}
	merged := MergeDistributions(parts...)
	reversed := MergeDistributions(parts[4], parts[3], parts[2], parts[1], parts[0])
	exact := FromDurations(all, nil)
	for q := 0.0; q <= 1; q += 0.01 {
		got, _ := merged.Quantile(q)
		want, _ := exact.Quantile(q)
		if diff := float64(got.NS-want.NS) / float64(want.NS); diff < 0 || diff > 0.002 {
			t.Errorf("quantile %.2f = %d, want %d", q, got.NS, want.NS)
		}
		if other, _ := reversed.Quantile(q); other != got {
			t.Errorf("quantile %.2f depends on the order of merging: %v, %v", q, got, other)
		}
	}
}
