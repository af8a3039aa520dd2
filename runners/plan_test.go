package runners

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// twoWork is a machine on which two of the modes run.
func twoWork() []clusters.Support {
	return []clusters.Support{
		{Mode: scenarios.IPTables, Answer: clusters.Yes},
		{Mode: scenarios.IPVS, Answer: clusters.No, Because: "the kernel has no ip_vs"},
		{Mode: scenarios.NFTables, Answer: clusters.Yes},
		{Mode: scenarios.EBPF, Answer: clusters.Unknown, Because: "bpf() is not permitted"},
	}
}

// parse returns the scenario in a text that leaves out the header.
func parse(t *testing.T, name, text string) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", fmt.Appendf(nil, "apiVersion: svcbench/v1alpha1\nkind: Scenario\nname: %s\ntitle: Test\n%s", name, text))
	if err != nil {
		t.Fatal(err)
	}
	s.Validity = boundless()
	return *s
}

// boundless lets every trial be trusted: a test may run on a machine that does other
// things, and none of its numbers counts.
func boundless() scenarios.Validity {
	const most = 1e9
	return scenarios.Validity{
		Others: most, Steal: most, Memory: most, Conntrack: most, Drift: most, Late: most, Unsent: most, Failed: most, Paused: most,
		Clock: scenarios.Duration(time.Hour),
	}
}

func mustPlan(t *testing.T, scs ...scenarios.Scenario) *Plan {
	t.Helper()
	p, err := NewPlan(scs, twoWork())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const scale = "points: {services: [100, 1000, 5000], endpoints: [2]}\nblocks: 3\n"

func TestPlanOrder(t *testing.T) {
	p := mustPlan(t, parse(t, "scale", scale))
	if len(p.Trials) != 3*3*2 {
		t.Fatalf("%d trials", len(p.Trials))
	}
	if diff := cmp.Diff(p.Results(), mustPlan(t, parse(t, "scale", scale)).Results()); diff != "" {
		t.Errorf("a second plan differs:\n%s", diff)
	}
	if cmp.Equal(p.Results(), mustPlan(t, parse(t, "scale", scale+"seed: 2\n")).Results()) {
		t.Error("another seed gives the same plan")
	}
	ids := map[string]bool{}
	for i, planned := range p.Trials {
		ids[planned.ID] = true
		if planned.Order != i+1 || planned.Block != i/6+1 {
			t.Errorf("trial %d: order %d, block %d", i+1, planned.Order, planned.Block)
		}
		// All modes of a point back to back.
		if pair := p.Trials[i/2*2]; pair.PlannedTrial.Point != planned.PlannedTrial.Point {
			t.Errorf("trial %d is at %v, its pair at %v", i+1, planned.PlannedTrial.Point, pair.PlannedTrial.Point)
		}
	}
	if len(ids) != len(p.Trials) {
		t.Errorf("%d different IDs for %d trials", len(ids), len(p.Trials))
	}
}

// What a mode is set up as is in the plan, and in the names of trials.
func TestPlanVariants(t *testing.T) {
	all := []clusters.Support{
		{Mode: scenarios.IPTables, Answer: clusters.Yes}, {Mode: scenarios.IPVS, Answer: clusters.Yes}, {Mode: scenarios.EBPF, Answer: clusters.Yes},
	}
	p, err := NewPlan([]scenarios.Scenario{
		parse(t, "plain", "blocks: 1\n"), parse(t, "other", "blocks: 1\nipvs: {scheduler: lc}\nebpf: {datapath: socket}\n"),
	}, all)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"plain iptables": "", "plain ipvs": "", "plain ebpf": "tc",
		"other iptables": "", "other ipvs": "lc", "other ebpf": "socket",
	}
	for _, planned := range p.Results() {
		variant, ok := want[planned.Scenario+" "+planned.Mode]
		if !ok || planned.Variant != variant {
			t.Errorf("%s %s is of variant %q, want %q", planned.Scenario, planned.Mode, planned.Variant, variant)
		}
		named := "-" + planned.Mode + "-b1"
		if variant != "" {
			named = "-" + planned.Mode + "-" + variant + "-b1"
		}
		if !strings.HasSuffix(planned.ID, named) {
			t.Errorf("trial %s is not named %s", planned.ID, named)
		}
	}
}

func TestPlanModes(t *testing.T) {
	p := mustPlan(t, parse(t, "all", "blocks: 1\n"), parse(t, "ours", "blocks: 1\nmodes: [ipvs, nftables]\nbaseline: ipvs\n"), parse(t, "none", "modes: [ipvs, ebpf]\n"))
	want := []results.ModeStatus{
		{Mode: "iptables", Included: true},
		{Mode: "ipvs", Because: "the kernel has no ip_vs"},
		{Mode: "nftables", Included: true},
		{Mode: "ebpf", Because: "it could not be found out whether it works here: bpf() is not permitted"},
	}
	if diff := cmp.Diff(want, p.Modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	if len(p.Trials) != 3 {
		t.Errorf("%d trials, want 3", len(p.Trials))
	}
	if got := p.Scenarios[1].Baseline; got != scenarios.NFTables {
		t.Errorf("baseline %s was not measured", got)
	}
	if len(p.Skipped) != 1 || p.Skipped[0].Scenario != "none" || !strings.Contains(p.Skipped[0].Because, "ip_vs") {
		t.Errorf("skipped %+v", p.Skipped)
	}
}

func TestPlanOfNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		scs  []scenarios.Scenario
		code failure.Code
		say  string
	}{
		{"no mode", []scenarios.Scenario{parse(t, "none", "modes: [ipvs]\n")}, failure.Environment, "the kernel has no ip_vs"},
		{"no scenario", nil, failure.Usage, "no scenario"},
		{"twice", []scenarios.Scenario{parse(t, "a", ""), parse(t, "a", "")}, failure.Usage, `"a" is named twice`},
	} {
		_, err := NewPlan(c.scs, twoWork())
		if err == nil || failure.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v (code %d), want code %d and %q", c.name, err, failure.CodeOf(err), c.code, c.say)
		}
	}
}

func TestEstimate(t *testing.T) {
	idle := parse(t, "idle", "blocks: 1\n")
	busy := parse(t, "busy", "traffic: {connect: {rate: 10, warmup: 1s, duration: 5s}}\nchurn: {kinds: [replace-endpoints], rate: 1, duration: 20s}\n")
	point := scenarios.Point{Services: 1000, Endpoints: 2}
	less, more := Estimate(&idle, point, scenarios.NFTables), Estimate(&busy, point, scenarios.NFTables)
	if more-less < 26*time.Second {
		t.Errorf("26 s of traffic and churn add only %v", more-less)
	}
	if larger := Estimate(&idle, scenarios.Point{Services: 10000, Endpoints: 2}, scenarios.NFTables); larger <= less {
		t.Errorf("ten times the Services take %v instead of %v", larger, less)
	}
	if agent := Estimate(&idle, point, scenarios.EBPF); agent < less+8*time.Second {
		t.Errorf("Cilium's agent compiles for some 10 s, but takes only %v where kube-proxy takes %v", agent, less)
	}
}

// A control is the baseline a second time in each block, a mode of its own in results
// and the same population.
func TestPlanControl(t *testing.T) {
	s := parse(t, "aa", "population: {services: 5}\nmodes: [iptables, nftables]\nbaseline: nftables\nblocks: 6\nmeasure: [coldstart, proxy]\ncontrol: true\n")
	plan := mustPlan(t, s)
	if len(plan.Trials) != 18 {
		t.Fatalf("%d trials", len(plan.Trials))
	}
	seen := map[string]int{}
	ids := map[string]bool{}
	for _, trial := range plan.Trials {
		seen[trial.Mode]++
		ids[trial.ID] = true
		if trial.Mode == "nftables-again" && trial.mode != scenarios.NFTables {
			t.Errorf("the control runs %s", trial.mode)
		}
	}
	if seen["iptables"] != 6 || seen["nftables"] != 6 || seen["nftables-again"] != 6 || len(ids) != 18 {
		t.Errorf("trials %v, %d names", seen, len(ids))
	}
}
