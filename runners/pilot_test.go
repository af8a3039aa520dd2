package runners

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/connect"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

// The limit is found between the rates that are kept up with and those that are not.
func TestSearchRate(t *testing.T) {
	for _, limit := range []int{0, 499, 500, 777, 3200, 41_000, 63_999, 64_000, 1_000_000} {
		tried := 0
		got, err := searchRate(func(rate int) (bool, error) { tried++; return rate <= limit, nil })
		switch {
		case err != nil, tried > 12:
			t.Errorf("limit %d: %v after %d rates", limit, err, tried)
		case limit < lowestRate:
			if got.rate != 0 {
				t.Errorf("limit %d: %+v", limit, got)
			}
		case limit >= highestRate:
			if got != (rateLimit{highestRate, true}) {
				t.Errorf("limit %d: %+v", limit, got)
			}
		case got.more, got.rate > limit, float64(got.rate)*1.1 < float64(limit):
			t.Errorf("limit %d: %+v", limit, got)
		}
	}
}

func TestPlainRate(t *testing.T) {
	for most, want := range map[float64]int{0.5: 1, 1: 1, 1.9: 1, 4: 2, 250: 200, 500: 500, 999: 500, 4700: 2000, 32_000: 20_000} {
		if got := plainRate(most); got != want {
			t.Errorf("plain rate below %v is %d, want %d", most, got, want)
		}
	}
}

// The pilot tries each mode at the largest point of the scenarios that leave their rate
// open, and nothing else.
func TestPilot(t *testing.T) {
	open := parse(t, "open", "points: {services: [100, 1000], endpoints: [2]}\ncontrol: true\ntraffic: {connect: {duration: 1s}}\nchurn: {kinds: [replace-endpoints], rate: 1, duration: 1s}\n")
	fixed := parse(t, "fixed", "traffic: {connect: {rate: 10, duration: 1s}}\n")
	if p := mustPlan(t, fixed).Pilot(); p != nil {
		t.Errorf("a pilot for nothing: %+v", p)
	}
	p := mustPlan(t, fixed, open).Pilot()
	if len(p.Trials) != 2 || len(p.Scenarios) != 1 {
		t.Fatalf("pilot %+v", p.Results())
	}
	for _, trial := range p.Trials {
		if s := trial.scenario; trial.point.Services != 1000 || !s.Measures(scenarios.Saturation) || s.Measures(scenarios.Programming) || s.Measures(scenarios.Connect) {
			t.Errorf("trial %+v", trial)
		}
	}
}

func TestChooseRate(t *testing.T) {
	trial := func(mode string, status results.Status, rate float64) *results.Trial {
		r := &results.Trial{Scenario: "open", Mode: mode, Status: status, Point: results.Point{Services: 1000, Endpoints: 2}, Error: "no luck"}
		if rate > 0 {
			r.Scalars = []results.Scalar{{Metric: results.ConnectSaturation, Value: rate}}
		}
		return r
	}
	c, err := chooseRate("open", &results.Data{Trials: []*results.Trial{
		{Scenario: "other", Scalars: []results.Scalar{{Metric: results.ConnectSaturation, Value: 1}}},
		trial("iptables", results.Complete, 4700), trial("ebpf", results.Complete, 20_000), trial("ipvs", results.Failed, 0),
	}})
	if err != nil || c.Rate != 2000 || c.Untrusted != "" || len(c.Saturation) != 2 || c.Point.Services != 1000 {
		t.Errorf("%+v, %v", c, err)
	}
	for want, trials := range map[string][]*results.Trial{
		"mode iptables keeps up with less than 500 connections a second at 1000 Services": {trial("iptables", results.Complete, 0), trial("ebpf", results.Complete, 9000)},
		"no luck":            {trial("iptables", results.Failed, 0)},
		"there was no trial": nil,
	} {
		if _, err := chooseRate("open", &results.Data{Trials: trials}); failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A scenario that leaves its rate open is measured at one that was found, which it
// has from then on.
func TestTry(t *testing.T) {
	s := parse(t, "open", `
population: {services: 5, endpoints: 1}
modes: [nftables]
blocks: 1
measure: [connect]
traffic: {connect: {duration: 500ms, warmup: 100ms}}
`)
	var rates []int
	p := &fakeProvider{t: t, prepare: func(c *fakeCluster) {
		c.inNamespace()
		c.launcher[connect.Name] = func(ctx context.Context, conn *agent.Conn) error {
			return agent.Answer(ctx, conn, func(_ context.Context, s connect.Spec) (*connect.Result, error) {
				rates = append(rates, s.Rate)
				return punctualUpTo(3000, s.Rate)
			})
		}
	}}
	plan, root := mustPlan(t, s), t.TempDir()
	tried, dir := filepath.Join(root, ".tried"), filepath.Join(root, "run")
	if err := plan.Try(t.Context(), p, plan.Pilot(), Options{Dir: tried}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), p, plan, Options{Dir: dir, Pilot: tried}); err != nil {
		t.Fatal(err)
	}
	data, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := data.Run.Rates; len(r) != 1 || r[0].Rate != 1000 || r[0].Saturation["nftables"] < 2700 || r[0].Saturation["nftables"] > 3000 {
		t.Errorf("rates %+v", r)
	}
	if last := rates[len(rates)-1]; last != 1000 || !strings.Contains(data.Run.Scenarios[0].YAML, "rate: 1000") {
		t.Errorf("measured at %d with\n%s", last, data.Run.Scenarios[0].YAML)
	}
	if _, err := results.Open(filepath.Join(dir, results.PilotFolder)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(tried); err == nil {
		t.Error("the pilot is still where it was")
	}
}

// punctualUpTo is what a connector says that is late above a rate.
func punctualUpTo(most, rate int) (*connect.Result, error) {
	h := stats.NewHistogram()
	h.Record(time.Microsecond.Nanoseconds())
	if rate > most {
		h.Record(time.Second.Nanoseconds())
	}
	lag, err := h.Encode()
	return &connect.Result{
		Due: 1, Started: 1, Lag: lag, Bins: make([]results.Bin, driftBins),
		Classes: []connect.Class{{Class: results.ClassAll, Started: 1, Established: 1, Connect: lag, Syscall: lag}},
	}, err
}
