package kind

import (
	"fmt"
	"strings"
	"testing"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// TestFits checks what clusters are refused, and what helps.
func TestFits(t *testing.T) {
	socket := scenarios.Settings{EBPF: scenarios.EBPFSettings{Datapath: scenarios.DatapathSocket}}
	for _, test := range []struct {
		what    string
		workers int
		config  clusters.Config
		hint    string // empty: it fits
	}{
		{"no pods", 0, clusters.Config{Mode: scenarios.IPTables}, ""},
		{"pods beside the control plane", 1, clusters.Config{Mode: scenarios.IPTables, PodNodes: 1}, ""},
		{"no node to drain to", 1, clusters.Config{Mode: scenarios.IPTables, PodNodes: 2}, "--workers 2"},
		{"a node to drain to", 2, clusters.Config{Mode: scenarios.IPTables, PodNodes: 2}, ""},
		{"another node", 1, clusters.Config{Mode: scenarios.IPTables, Placement: scenarios.CrossNode}, ""},
		{"no other node", 0, clusters.Config{Mode: scenarios.IPTables, Placement: scenarios.CrossNode}, "--workers 1"},
		{"the same node", 0, clusters.Config{Mode: scenarios.IPTables, Placement: scenarios.SameNode}, ""},
		{"pods that would come to the client's node", 2, clusters.Config{Mode: scenarios.IPTables, PodNodes: 2, Placement: scenarios.SameNode}, "cross-node"},
		{"tc", 1, clusters.Config{Mode: scenarios.EBPF}, ""},
		{"socket", 1, clusters.Config{Mode: scenarios.EBPF, Settings: socket}, "local"},
	} {
		err := New(Options{Workers: test.workers}).Fits(test.config)
		said := fmt.Sprint(err) + failure.HintOf(err)
		if (err == nil) != (test.hint == "") || err != nil && !strings.Contains(said, test.hint) {
			t.Errorf("%s: %s", test.what, said)
		}
	}
}

// TestPlaces checks on which nodes the client, the endpoints and real pods are.
func TestPlaces(t *testing.T) {
	for _, test := range []struct {
		workers   int
		placement scenarios.Placement
		want      string // client, backend, nodes for pods
	}{
		{0, "", "x-control-plane x-control-plane [x-control-plane]"},
		{1, "", "x-worker x-control-plane [x-control-plane]"},
		{1, scenarios.SameNode, "x-worker x-worker [x-worker x-control-plane]"},
		{2, scenarios.CrossNode, "x-worker x-worker2 [x-worker2 x-control-plane]"},
		{3, "", "x-worker x-worker2 [x-worker2 x-worker3 x-control-plane]"},
	} {
		c := &cluster{name: "x", workers: test.workers, config: clusters.Config{Placement: test.placement}}
		c.placePods()
		if got := fmt.Sprint(c.pods[clusters.AtClient].node, " ", c.pods[clusters.AtBackend].node, " ", c.PodNodes()); got != test.want {
			t.Errorf("%d workers, %s: %s, want %s", test.workers, test.placement, got, test.want)
		}
		if got := len(c.PodNodes()); got < PodNodes(test.workers) {
			t.Errorf("%d workers, %s: %d nodes for pods, and %d were promised", test.workers, test.placement, got, PodNodes(test.workers))
		}
	}
}
