package churn

import (
	"context"
	"net/netip"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"svcbench/runners/population"
	"svcbench/scenarios"
)

// kinds are all kinds, in the order of the reference.
func kinds() []Kind {
	return []Kind{
		{Name: scenarios.ReplaceEndpoints, Writes: 1, moves: replace},
		{Name: scenarios.ScaleEndpoints, Writes: 1, few: true, moves: scale},
		{Name: scenarios.FlipEndpoints, Writes: 1, few: true, moves: flip},
		{Name: scenarios.ScaleToZero, Writes: 1, few: true, Silences: true, moves: empty},
		{Name: scenarios.RecreateServices, Writes: 1, few: true, Silences: true, moves: recreate},
		{Name: scenarios.ChangePorts, Writes: 1, few: true, Silences: true, moves: changePort},
		{Name: scenarios.RollingUpdate, Writes: 2, few: true, moves: roll},
		{Name: scenarios.Flap, Writes: 2, moves: flap},
		{Name: scenarios.ScaleStorm, Writes: 1, Grouped: true, moves: storm},
		{Name: scenarios.NodeLoss, Writes: 1, Grouped: true, moves: loseNode},
	}
}

// replace gives the Service new endpoints instead of all it has.
func replace(g ground) []Move {
	s := g.service
	after := s.with(g.fresh)
	return []Move{{Kind: string(scenarios.ReplaceEndpoints), Old: s.Endpoints, New: g.fresh, Ends: true, Write: g.endpoints(after), After: after}}
}

// add gives the Service more endpoints.
func (g ground) add(kind string, more []netip.Addr) Move {
	after := g.service.with(g.service.Endpoints, more)
	return Move{Kind: kind, New: more, Stay: g.service.Endpoints, Write: g.endpoints(after), After: after}
}

// remove takes the first n endpoints from the Service, which are the oldest.
func (g ground) remove(kind string, n int) Move {
	old, stay := g.service.Endpoints[:n], g.service.Endpoints[n:]
	after := g.service.with(stay)
	return Move{Kind: kind, Old: old, Stay: stay, Ends: true, Write: g.endpoints(after), After: after}
}

// many reports whether the Service has more endpoints than at first.
func (g ground) many() bool { return len(g.service.Endpoints) > len(g.fresh) }

func scale(g ground) []Move {
	if g.many() {
		return []Move{g.remove("remove-endpoint", 1)}
	}
	return []Move{g.add("add-endpoint", g.fresh[:1])}
}

func storm(g ground) []Move {
	if g.many() {
		return []Move{g.remove("storm-down", len(g.fresh))}
	}
	return []Move{g.add("storm-up", g.fresh)}
}

// rest makes the first endpoint not ready, wake makes the one that is not ready
// again.
func (g ground) rest(kind string) Move {
	s := g.service
	after := s.with(s.Endpoints[1:])
	after.Resting = s.Endpoints[:1]
	return Move{Kind: kind, Old: after.Resting, Stay: after.Endpoints, Write: g.endpoints(after), After: after}
}

func (g ground) wake(kind string) Move {
	s := g.service
	after := s.with(s.Endpoints, s.Resting)
	after.Resting = nil
	return Move{Kind: kind, New: s.Resting, Stay: s.Endpoints, Write: g.endpoints(after), After: after}
}

func flip(g ground) []Move {
	if len(g.service.Resting) > 0 {
		return []Move{g.wake("endpoint-ready")}
	}
	return []Move{g.rest("endpoint-unready")}
}

// FlapTime is how long an endpoint that flaps is not ready: shorter than any mode
// takes by default.
const FlapTime = 200 * time.Millisecond

// FlapUp is the kind of the second move of a flap.
const FlapUp = "flap-up"

func flap(g ground) []Move {
	down := g.rest("flap-down")
	up := ground{population: g.population, service: down.After}.wake(FlapUp)
	up.Delay = FlapTime
	return []Move{down, up}
}

// empty leaves the Service without endpoints, or ends that.
func empty(g ground) []Move {
	if len(g.service.Endpoints) > 0 {
		return []Move{g.remove("scale-to-zero", len(g.service.Endpoints))}
	}
	return []Move{g.add("scale-from-zero", g.fresh)}
}

// recreate deletes the Service, or creates it again. Its EndpointSlice stays, as
// that of a Service whose pods do not go away with it.
func recreate(g ground) []Move {
	s := g.service
	after := s
	after.Deleted = !s.Deleted
	if s.Deleted {
		service := g.population.Service(s.Index)
		return []Move{{Kind: "create-service", New: s.Endpoints, After: after, Write: func(ctx context.Context, api kubernetes.Interface) error {
			_, err := api.CoreV1().Services(population.Namespace).Create(ctx, service, metav1.CreateOptions{})
			return err
		}}}
	}
	name := g.population.Name(s.Index)
	return []Move{{Kind: "delete-service", Old: s.Endpoints, After: after, Write: func(ctx context.Context, api kubernetes.Interface) error {
		return api.CoreV1().Services(population.Namespace).Delete(ctx, name, metav1.DeleteOptions{})
	}}}
}

// otherPort is the number that the first port of a Service gets for a while.
const otherPort = 1080

// changePort moves the Service to another port, or back.
func changePort(g ground) []Move {
	s := g.service
	first := g.population.Addr(s.Index).Port()
	to := uint16(otherPort)
	if s.Addr.Port() == otherPort {
		to = first
	}
	after := s
	after.Addr = netip.AddrPortFrom(s.Addr.Addr(), to)
	service := g.population.ServiceAt(s.Index, to)
	return []Move{{
		Kind: "change-port", Old: s.Endpoints, New: s.Endpoints, From: s.Addr, To: after.Addr, After: after,
		Write: func(ctx context.Context, api kubernetes.Interface) error {
			_, err := api.CoreV1().Services(population.Namespace).Update(ctx, service, metav1.UpdateOptions{})
			return err
		},
	}}
}

// roll takes a rolling update one step further: as many pods at a time as a
// Deployment replaces by default. As in a cluster, those that go are in the
// EndpointSlice until they have ended, so that connections to them may go on.
func roll(g ground) []Move {
	const surge = 4 // a quarter
	s, n := g.service, max(1, len(g.fresh)/surge)
	old, stay, fresh := s.Endpoints[:n], s.Endpoints[n:], g.fresh[:n]
	during := s.with(stay, fresh)
	during.Ending = old
	after := s.with(during.Endpoints)
	return []Move{
		{Kind: string(scenarios.RollingUpdate), Old: old, New: fresh, Stay: stay, Dark: true, Write: g.endpoints(during), After: during},
		{Kind: "pods-ended", Delay: g.churn.Grace.Std(), Stay: after.Endpoints, Vanish: old, Write: g.endpoints(after), After: after},
	}
}

// detection is how long a node is gone before its endpoints are removed. In
// Kubernetes it is 40 s or more, whatever the mode.
const detection = time.Second

// loseNode makes an endpoint vanish, which is removed later, or brings another in
// its place. It would be no use to bring back the same one: for two minutes the node
// remembers the connections to it that got no answer, and takes new ones from the
// same ports for them, whatever its rules say.
func loseNode(g ground) []Move {
	if len(g.service.Endpoints) < len(g.fresh) {
		return []Move{g.add("node-replaced", g.fresh[:1])}
	}
	m := g.remove("node-lost", 1)
	m.Vanish, m.Dark, m.Ends, m.Delay, m.Ahead = slices.Clone(m.Old), true, false, detection, detection
	return []Move{m}
}
