package churn

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"svcbench/runners/population"
	"svcbench/scenarios"
)

// Move is one API write to a Service, and what traffic should see of it.
type Move struct {
	// Kind is its name in results.
	Kind string
	// Delay is how long after the change is due it is written.
	Delay time.Duration
	// Old are endpoints that should not answer any more, New those that should
	// begin to, Stay others that answer before and after.
	Old, New, Stay []netip.Addr
	// From is where old endpoints are reached, To where new ones are.
	From, To netip.AddrPort
	// Vanish are endpoints that stop answering Ahead of the write.
	Vanish []netip.Addr
	Ahead  time.Duration
	// Ends says that old endpoints stop answering when traffic has left them.
	Ends bool
	// Dark says that old endpoints have stopped answering, or will soon, whatever
	// traffic does: a connection without an answer has reached one.
	Dark bool
	// Write writes it.
	Write func(ctx context.Context, api kubernetes.Interface) error
	// After is what the Service is then.
	After Service
}

// Silent reports whether new connections should notice nothing of the move.
func (m Move) Silent() bool { return len(m.Old)+len(m.New) == 0 }

// Kind is a kind of change to Services without pods.
type Kind struct {
	Name scenarios.ChurnKind
	// Writes is how many moves a change to one Service has.
	Writes int
	// Grouped says that a change takes many Services at once.
	Grouped bool
	// Silences says that Services are left without anybody who answers, as the
	// change asks: who connects to them meanwhile must fail.
	Silences bool
	// few says that a change goes on with what the one before began, so that
	// it is always the same few Services that are changed.
	few bool

	moves func(on ground) []Move
}

// ground is what a move starts from.
type ground struct {
	population *population.Population
	churn      *scenarios.Churn
	service    Service
	fresh      []netip.Addr // as many as the Service had endpoints at first
}

// Moves are the writes that change a Service as it is now, with endpoints that it
// has not had before, as many as it had at first.
func (k Kind) Moves(p *population.Population, c *scenarios.Churn, s Service, fresh []netip.Addr) []Move {
	moves := k.moves(ground{population: p, churn: c, service: s, fresh: fresh})
	for i := range moves {
		m := &moves[i]
		if !m.From.IsValid() {
			m.From = s.Addr
		}
		if !m.To.IsValid() {
			m.To = s.Addr
		}
	}
	return moves
}

// Group is how many of the population's Services one change takes.
func (k Kind) Group(c *scenarios.Churn, services int) int {
	if !k.Grouped {
		return 1
	}
	return max(1, int(math.Round(c.Share*float64(services))))
}

const (
	// patience is how long a Service rests after a change before it should be
	// changed again, and least how many Services of a kind take turns at least.
	patience = 30 * time.Second
	least    = 6
	// stride is the same of kinds that go on with what was begun.
	stride = 3 * time.Second
)

// Pool is how many Services take turns at a rate of changes a second, of those
// that may be changed. Half of these at least stay as they are, to see what others
// notice; what changes many at once always takes the same.
func (k Kind) Pool(c *scenarios.Churn, rate float64, available, group int) int {
	if k.Grouped {
		return min(available, group) // so that it takes turns
	}
	half := (available + 1) / 2
	rest := patience
	if k.few {
		rest = stride + c.Grace.Std()
	}
	return min(half, max(least, int(math.Ceil(rate*rest.Seconds()))))
}

// Of returns the kind of that name.
func Of(name scenarios.ChurnKind) (Kind, error) {
	for _, k := range kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("no change of Services is called %s", name)
}

// All are the kinds of a churn, in its order.
func All(c *scenarios.Churn) ([]Kind, error) {
	var all []Kind
	for _, name := range c.Kinds {
		k, err := Of(name)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// endpoints writes the endpoints of a Service. Without a resource version the
// write is unconditional: nobody else changes the slice, so that there is nothing
// to conflict with.
func (g ground) endpoints(s Service) func(context.Context, kubernetes.Interface) error {
	slice := g.population.EndpointSlice(s.Index, population.Endpoints{Ready: s.Endpoints, Resting: s.Resting, Ending: s.Ending})
	return func(ctx context.Context, api kubernetes.Interface) error {
		// By this controllers say when they had a reason to change it, and
		// kube-proxy counts from there in its own metric of programming latency.
		slice.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: time.Now().Format(time.RFC3339Nano)}
		_, err := api.DiscoveryV1().EndpointSlices(population.Namespace).Update(ctx, slice, metav1.UpdateOptions{})
		return err
	}
}
