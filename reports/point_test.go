package reports

import (
	"fmt"
	"testing"

	"svcbench/internal/results"
)

// TestPlacements checks how points are named and grouped that differ in where
// endpoints are.
func TestPlacements(t *testing.T) {
	cross := results.Point{Services: 100, Endpoints: 2, Placement: "cross-node"}
	same := results.Point{Services: 100, Endpoints: 2, Placement: "same-node"}
	more := results.Point{Services: 5000, Endpoints: 2, Placement: "cross-node"}
	for _, test := range []struct {
		points []results.Point
		size   string // name of the first point
		groups string // names of the groups on the scale axis, with how many points
	}{
		{[]results.Point{{Services: 100, Endpoints: 2}, {Services: 5000, Endpoints: 2}}, "100 Services", "[:2]"},
		{[]results.Point{cross, more}, "100 Services", "[:2]"},
		{[]results.Point{cross, same}, "cross-node", "[cross-node:1 same-node:1]"},
		{[]results.Point{cross, same, more}, "100 Services × 2 endpoints, cross-node", "[cross-node:2 same-node:1]"},
	} {
		s := &scenario{points: test.points}
		if got := s.sizeName(test.points[0]); got != test.size {
			t.Errorf("%v: %q, want %q", test.points, got, test.size)
		}
		var groups []string
		for _, g := range s.axis().groups {
			groups = append(groups, fmt.Sprint(g.name, ":", len(g.points)))
		}
		if got := fmt.Sprint(groups); got != test.groups {
			t.Errorf("%v: groups %s, want %s", test.points, got, test.groups)
		}
	}
}
