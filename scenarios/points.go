package scenarios

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// axes is the short form of Points: one list for each field of Point.
type axes struct {
	Services  []int       `yaml:"services,omitempty"`
	Endpoints []int       `yaml:"endpoints,omitempty"`
	Placement []Placement `yaml:"placement,omitempty"`
	Batching  []Window    `yaml:"batching,omitempty"`
}

// axis is one list of axes: how long it is, and how its values get into a point.
type axis struct {
	name string
	size int
	set  func(p *Point, i int)
}

// list returns the axes that have values, the outermost first.
func (a axes) list() []axis {
	all := []axis{
		{"services", len(a.Services), func(p *Point, i int) { p.Services = a.Services[i] }},
		{"endpoints", len(a.Endpoints), func(p *Point, i int) { p.Endpoints = a.Endpoints[i] }},
		{"placement", len(a.Placement), func(p *Point, i int) { p.Placement = a.Placement[i] }},
		{"batching", len(a.Batching), func(p *Point, i int) { p.Batching = a.Batching[i] }},
	}
	return slices.DeleteFunc(all, func(x axis) bool { return x.size == 0 })
}

// size is the number of points of the cross product. A field without a list
// is the population's at every point.
func (a axes) size() int {
	n := 1
	for _, x := range a.list() {
		n *= x.size
	}
	return n
}

// each calls f for every point of the cross product, the outermost axis first,
// with the index that each axis with a list has in it.
func (a axes) each(f func(p Point, at map[string]int)) {
	list := a.list()
	for n := range a.size() {
		var p Point
		at := map[string]int{}
		for _, x := range slices.Backward(list) {
			at[x.name] = n % x.size
			x.set(&p, n%x.size)
			n /= x.size
		}
		f(p, at)
	}
}

// UnmarshalYAML reads both forms of the scale axis, strictly. The error is a
// Problems. Parse has better messages: it knows the source text.
func (p *Points) UnmarshalYAML(node *yaml.Node) error {
	d := newDecoder("", nil)
	var got Points
	d.points(node, &got, "points")
	if err := d.problems(); err != nil {
		return err
	}
	*p = got
	return nil
}

// MarshalYAML writes the scale axis as a list of points, whichever form it
// was read from.
func (p Points) MarshalYAML() (any, error) { return []Point(p), nil }

// Endpoints returns the number of (address, port) pairs behind the Services of
// a point.
func (s *Scenario) Endpoints(p Point) int {
	population := s.Population
	population.setDefaults()
	p = s.at(p)
	return p.Services * p.Endpoints * population.Ports
}

// at fills the fields of a point that are left out.
func (s *Scenario) at(p Point) Point {
	population := s.Population
	population.setDefaults()
	setDefault(&p.Services, population.Services)
	setDefault(&p.Endpoints, population.Endpoints)
	setDefault(&p.Placement, population.Placement)
	return p
}

// At is the scenario as it is at one of its points.
func (s *Scenario) At(p Point) *Scenario {
	at := *s
	at.Population.Placement = s.at(p).Placement
	at.Batching, at.Proxy.MinSyncPeriod = p.Batching.apply(s.Batching, s.Proxy.MinSyncPeriod)
	return &at
}

// Population is the point without what has no part in what is written to the API.
func (p Point) Population() Point {
	p.Batching = ""
	return p
}

// String writes a point for messages: "100 Services x 2 endpoints, same-node,
// batching none".
func (p Point) String() string {
	text := fmt.Sprintf("%d Services x %d endpoints", p.Services, p.Endpoints)
	if p.Placement != "" {
		text += ", " + string(p.Placement)
	}
	if p.Batching != "" {
		text += ", batching " + string(p.Batching)
	}
	return text
}

// ResolvedPoints returns the scale axis with every field filled: from the
// point, else from the population, else from the defaults. An empty axis is
// one point, the population itself.
func (s *Scenario) ResolvedPoints() []Point {
	points := s.Points
	if len(points) == 0 {
		points = Points{{}}
	}
	resolved := make([]Point, len(points))
	for i, p := range points {
		resolved[i] = s.at(p)
	}
	return resolved
}
