package scenarios

import "go.yaml.in/yaml/v4"

// axes is the short form of Points: one list for each field of Point.
type axes struct {
	Services  []int `yaml:"services,omitempty"`
	Endpoints []int `yaml:"endpoints,omitempty"`
}

// size is the number of points of the cross product. A field without a list
// is the population's at every point.
func (a axes) size() int { return max(1, len(a.Services)) * max(1, len(a.Endpoints)) }

// each calls f for every point of the cross product, services outermost,
// with the indices of its values in the two lists; -1 for a missing list.
func (a axes) each(f func(p Point, service, endpoint int)) {
	services, endpoints := a.Services, a.Endpoints
	for i := range max(1, len(services)) {
		for j := range max(1, len(endpoints)) {
			var p Point
			service, endpoint := -1, -1
			if len(services) > 0 {
				p.Services, service = services[i], i
			}
			if len(endpoints) > 0 {
				p.Endpoints, endpoint = endpoints[j], j
			}
			f(p, service, endpoint)
		}
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
	return p
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
