package scenarios

import (
	"fmt"
	"testing"
)

// TestAxes checks the cross product and what each point of it measures.
func TestAxes(t *testing.T) {
	for _, test := range []struct {
		yaml string
		want string
	}{
		{"", "[1000 Services x 2 endpoints]"},
		{"population: {services: 7, placement: same-node}\n", "[7 Services x 2 endpoints, same-node]"},
		{
			"points: {services: [1, 2], endpoints: [3, 4]}\n",
			"[1 Services x 3 endpoints 1 Services x 4 endpoints 2 Services x 3 endpoints 2 Services x 4 endpoints]",
		},
		{
			"points: {services: [5, 6], placement: [cross-node, same-node]}\n",
			"[5 Services x 2 endpoints, cross-node 5 Services x 2 endpoints, same-node 6 Services x 2 endpoints, cross-node 6 Services x 2 endpoints, same-node]",
		},
		{
			"population: {placement: cross-node}\npoints: [{services: 5}, {services: 5, placement: same-node}]\n",
			"[5 Services x 2 endpoints, cross-node 5 Services x 2 endpoints, same-node]",
		},
	} {
		s := mustParse(t, header+test.yaml)
		points := s.ResolvedPoints()
		if got := fmt.Sprint(points); got != test.want {
			t.Errorf("%s: %s, want %s", test.yaml, got, test.want)
		}
		for _, p := range points {
			if at := s.At(p); at.Population.Placement != p.Placement {
				t.Errorf("%s: at %v endpoints are %q", test.yaml, p, at.Population.Placement)
			}
		}
	}
}

// The numbers of Services of the command line take the place of those of the axis,
// and nothing else.
func TestReplaceAxisKeepsPlacement(t *testing.T) {
	s := mustParse(t, header+"points: {services: [5], placement: [cross-node, same-node]}\n")
	if err := (Overrides{Points: []int{9}}).Apply(s); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.Points), "[9 Services x 0 endpoints, cross-node 9 Services x 0 endpoints, same-node]"; got != want {
		t.Errorf("points %s, want %s", got, want)
	}
}
