package runners

import (
	"net/netip"
	"testing"

	"svcbench/internal/agent/path"
	"svcbench/internal/results"
	"svcbench/runners/population"
	"svcbench/runners/position"
	"svcbench/scenarios"
)

// Where a mode translates inside connect(), packets to pods are those of
// Services.
func TestSortPath(t *testing.T) {
	p, err := population.New(fakeNetwork(), scenarios.Point{Services: 4, Endpoints: 2}, scenarios.Population{Ports: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	service, pod, stranger := p.ClusterIP(1), p.PodIPs(2)[0], netip.MustParseAddr("192.0.2.1")
	// The first is of the warm-up.
	dst := words(pod, service, pod, pod, stranger)
	samples := path.Samples{Dst: dst, Backend: dst, NS: make(path.Words, len(dst))}
	for _, test := range []struct {
		mode     scenarios.Mode
		datapath scenarios.Datapath
		want     map[string]int64
	}{
		{scenarios.IPTables, scenarios.DatapathSocket, map[string]int64{results.ClassAll: 1, results.ClassDirect: 2}},
		{scenarios.EBPF, scenarios.DatapathTC, map[string]int64{results.ClassAll: 1, results.ClassDirect: 2}},
		{scenarios.EBPF, scenarios.DatapathSocket, map[string]int64{results.ClassAll: 3}},
	} {
		f := &inFlight{
			trial:      Trial{mode: test.mode, scenario: &scenarios.Scenario{EBPF: scenarios.EBPFSettings{Datapath: test.datapath}}},
			population: p, classes: position.New([]netip.Addr{service}, false),
		}
		sorted, strangers := f.sortPath(samples, 1)
		if strangers != 1 || len(sorted) != len(test.want) {
			t.Errorf("%s (%s): %d strangers, classes %v", test.mode, test.datapath, strangers, sorted)
		}
		for class, want := range test.want {
			if d, ok := sorted[class]; !ok || d.values.Count() != want {
				t.Errorf("%s (%s): class %s has %+v, want %d samples", test.mode, test.datapath, class, d, want)
			}
		}
	}
}
