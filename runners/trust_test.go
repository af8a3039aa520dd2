package runners

import (
	"strings"
	"testing"
	"time"

	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/internal/strain"
	"svcbench/scenarios"
)

// owning is a cluster that knows its processes.
type owning struct{ *fakeCluster }

func (owning) Owns(int) bool { return true }

// bounded gives a scenario the default limits, which those of tests do not have.
func bounded(s scenarios.Scenario) scenarios.Scenario {
	s.Validity = scenarios.Validity{}
	s.Default()
	return s
}

// A trial beside which the machine did something else says what, and can still be
// stored; one without is trusted.
func TestTrust(t *testing.T) {
	s := bounded(coldOnly(t, 1))
	calm := strain.Strain{Elapsed: 10 * time.Second, Others: 200 * time.Millisecond, Stalls: true, Worst: "sh (7)", WorstTime: 100 * time.Millisecond}
	for what, test := range map[string]struct {
		change func(*strain.Strain)
		want   string
	}{
		"calm":    {func(*strain.Strain) {}, ""},
		"hog":     {func(s *strain.Strain) { s.Others = 9 * time.Second }, "other programs used the time of 0.9 processors, most of all sh (7) (at most 0.1 are allowed)"},
		"steal":   {func(s *strain.Strain) { s.Steal = 2 * time.Second }, "the hypervisor took away the time of 0.2 processors"},
		"memory":  {func(s *strain.Strain) { s.Stall = time.Second }, "something waited for memory in 10% of the time"},
		"no PSI":  {func(s *strain.Strain) { s.Stall, s.Stalls = time.Second, false }, ""},
		"clock":   {func(s *strain.Strain) { s.Step = time.Second }, "the clock was set by 1s"},
		"several": {func(s *strain.Strain) { s.Step, s.Steal = time.Second, 2*time.Second }, "; the clock was set"},
	} {
		t.Run(what, func(t *testing.T) {
			f := &inFlight{trial: Trial{scenario: &s}, cluster: owning{&fakeCluster{}}, observer: silent{}, record: &results.Trial{}, strains: []strain.Strain{calm, calm}}
			test.change(&f.strains[1])
			f.judgeTrust()
			if got := f.record.Untrusted(); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("untrusted because %q, want %q", got, test.want)
			}
			if len(f.record.Checks) < 3 {
				t.Errorf("checks %+v", f.record.Checks)
			}
		})
	}
}

// Connections that became slower, or were never begun, are no basis for a ratio.
func TestTrustOfConnections(t *testing.T) {
	s := bounded(parse(t, "quick", "population: {services: 5}\ntraffic: {connect: {rate: 100, duration: 1s}}\n"))
	for _, test := range []struct {
		drift   float64
		offered offered
		want    string
	}{
		{0.2, offered{unsent: 0.001, late: 0.01, failed: 0.001, paused: 0.001}, ""},
		{0.8, offered{}, "connections in one half of the time were slower than in the other by 80% (at most 0.5 are allowed)"},
		{0, offered{late: 0.2}, "20% of the connections began only after the next one was due (at most 0.1 are allowed)"},
		{0, offered{unsent: 0.02}, "2% of the connections or requests were never begun: the client could not keep up (at most 0.01 are allowed)"},
		{0, offered{failed: 0.02}, "2% of the connections or requests had no answer (at most 0.01 are allowed)"},
		{0, offered{paused: 0.02}, "the client stood still in 2% of the time to collect garbage (at most 0.01 are allowed)"},
	} {
		f := &inFlight{
			trial: Trial{scenario: &s}, cluster: &fakeCluster{}, observer: silent{}, record: &results.Trial{},
			strains: []strain.Strain{{Elapsed: time.Second}}, drift: test.drift, offered: test.offered,
		}
		f.judgeTrust()
		if got := f.record.Untrusted(); got != test.want {
			t.Errorf("untrusted because %q, want %q", got, test.want)
		}
	}
}

// Short phases are judged together, and one at the end with those before it.
func TestStrained(t *testing.T) {
	f := &inFlight{}
	for _, s := range []strain.Strain{
		{Elapsed: 3 * time.Second, Others: time.Second}, {Elapsed: 3 * time.Second}, {Elapsed: 6 * time.Second}, {Elapsed: time.Second, Others: time.Second},
	} {
		f.strained(s)
	}
	if _, share := f.worst(func(s strain.Strain) time.Duration { return s.Others }); len(f.strains) != 3 || share != 1.0/6 {
		t.Errorf("%d times, the worst with %v", len(f.strains), share)
	}
}

// Where nobody knows whose a process is, others are not checked.
func TestTrustWithoutOwner(t *testing.T) {
	s := coldOnly(t, 1)
	f := &inFlight{trial: Trial{scenario: &s}, cluster: &fakeCluster{}, observer: silent{}, record: &results.Trial{}, strains: []strain.Strain{{Elapsed: time.Second, Others: time.Second}}}
	f.judgeTrust()
	if f.record.Untrusted() != "" || len(f.record.Checks) == 0 {
		t.Errorf("checks %+v", f.record.Checks)
	}
	f.unobserved, f.record = true, &results.Trial{}
	f.judgeTrust()
	if len(f.record.Checks) != 0 || len(f.record.Missing) != 1 {
		t.Errorf("checks %+v, missing %+v", f.record.Checks, f.record.Missing)
	}
}

// A run ends with exit code 4 when a trial of it cannot be trusted.
func TestUntrustedRun(t *testing.T) {
	s := coldOnly(t, 2)
	s.Validity.Clock = scenarios.Duration(1) // the smallest step of a clock is too much
	p := &fakeProvider{prepare: func(c *fakeCluster) { c.inNamespace() }}
	out, data, err := measure(t.Context(), t, p, &recorder{}, s)
	if out.Complete != 2 || len(data.Trials) != 2 {
		t.Fatalf("outcome %+v, %v", out, err)
	}
	if len(out.Untrusted) == 0 {
		t.Skip("the two clocks of this machine differ by less than a nanosecond from phase to phase")
	}
	if failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), "cannot be trusted") {
		t.Errorf("got %v", err)
	}
	if again := OutcomeOf(data, nil); len(again.Untrusted) != len(out.Untrusted) {
		t.Errorf("read back: %+v", again)
	}
}

func TestDrift(t *testing.T) {
	bins := func(p50 ...int64) []results.Bin {
		var all []results.Bin
		for _, v := range p50 {
			b := results.Bin{P50: v}
			if v > 0 {
				b.Count = 10
			}
			all = append(all, b)
		}
		return all
	}
	for _, test := range []struct {
		bins []results.Bin
		want float64
	}{
		{bins(100, 100, 100, 100), 0},
		{bins(100, 100, 200, 200), 1},
		{bins(200, 200, 100, 100), 1},
		{bins(100, 900, 100, 100, 100, 100), 0}, // one part alone
		{bins(0, 100, 0, 150), 0.5},
		{bins(0, 0, 100, 100), 0}, {bins(100), 0}, {nil, 0},
	} {
		if got := driftOf(test.bins); got != test.want {
			t.Errorf("drift of %v is %v, want %v", test.bins, got, test.want)
		}
	}
}
