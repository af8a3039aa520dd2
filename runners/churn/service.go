// Package churn decides what a stream of changes to a population changes, and
// when: the writes of each kind of change, and what traffic should see of them.
// It writes and watches nothing itself.
package churn

import (
	"net/netip"
	"slices"

	"svcbench/runners/population"
)

// Service is a Service of the population as changes have left it. It is a value:
// its slices are not changed, only replaced.
type Service struct {
	// Index is its number in the population.
	Index int
	// Addr is where its first port is reached.
	Addr netip.AddrPort
	// Endpoints are those that are ready; none may be. Resting are those that
	// are in its EndpointSlice and not ready, and Ending those in it whose pods have
	// been told to end.
	Endpoints, Resting, Ending []netip.Addr
	// Deleted is true while there is no such Service.
	Deleted bool
}

// First is Service i as it was populated.
func First(p *population.Population, i int) Service {
	return Service{Index: i, Addr: p.Addr(i), Endpoints: p.PodIPs(i)}
}

// Answers reports whether anybody is there to answer for the Service.
func (s Service) Answers() bool { return !s.Deleted && len(s.Endpoints) > 0 }

// with returns s with other endpoints.
func (s Service) with(endpoints ...[]netip.Addr) Service {
	s.Endpoints = slices.Concat(endpoints...)
	return s
}
