package runners

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent/flow"
	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// flowPatience is how long kept connections are watched after the last change: what
// still leads to a removed endpoint then is said to go on.
const flowPatience = 10 * time.Second

// keepFlows keeps connections open to Services that a churn changes, as many as
// the scenario asks for, in turns to each.
func (f *inFlight) keepFlows(ctx context.Context, c changer) ([]flow.Flow, error) {
	changed, _ := c.affected()
	n := f.trial.scenario.Churn.Flows
	if n == 0 || len(changed) == 0 {
		return nil, nil
	}
	spec := flow.Spec{Protocol: f.protocol(), Duration: churnLead + f.trial.scenario.Churn.Length() + f.trial.scenario.Churn.Grace.Std() + flowPatience}
	for i := range n {
		spec.Targets = append(spec.Targets, f.population.Addr(changed[i%len(changed)]))
	}
	return flow.Run(ctx, f.cluster.Place(clusters.AtClient), spec)
}

// remover is a changer that knows which endpoints each of its changes removed.
type remover interface {
	// removals are those of one Service, by where it is reached.
	removals() map[netip.AddrPort][]removal
}

// removal is a change that removed endpoints from a Service for good.
type removal struct {
	sent int64
	old  []netip.Addr
}

// storeFlows records how long kept connections led to endpoints that had been
// removed, and how long they got no answer then.
func (f *inFlight) storeFlows(flows []flow.Flow, c changer) error {
	r, ok := c.(remover)
	if len(flows) == 0 || !ok {
		return nil
	}
	stale := distribution{values: stats.NewHistogram()}
	silence := distribution{values: stats.NewHistogram()}
	failed := int64(0)
	removals := r.removals()
	for _, one := range flows {
		for _, s := range one.Stretches {
			if s.Failure != "" {
				failed += s.Questions
			}
		}
		for _, gone := range removals[one.Target] {
			o, ok := fateOf(one, gone)
			switch {
			case !ok:
			case o.left:
				stale.values.Record(o.stale)
				silence.values.Record(o.silence)
			default:
				stale.censored++
			}
		}
	}
	f.scalar(results.FlowFailed, "count", float64(failed))
	return f.store(
		metric{results.FlowStale, map[string]distribution{results.ClassAll: stale}},
		metric{results.FlowSilence, map[string]distribution{results.ClassAll: silence}},
	)
}

// fate is what became of a flow that led to an endpoint which was removed.
type fate struct {
	left           bool  // it leads elsewhere now
	stale, silence int64 // ns
}

// fateOf finds out what became of a flow after a removal; false if it did not lead
// to a removed endpoint then.
func fateOf(one flow.Flow, gone removal) (fate, bool) {
	at := -1
	for i, s := range one.Stretches {
		if s.From.IsValid() && s.First <= gone.sent && slices.Contains(gone.old, s.From) {
			at = i
		} else if s.From.IsValid() && s.First <= gone.sent {
			at = -1 // it had left before
		}
	}
	if at < 0 {
		return fate{}, false
	}
	last, silent := one.Stretches[at].Last, int64(0) // since when there was no answer
	for _, s := range one.Stretches[at+1:] {
		switch {
		case !s.From.IsValid() && silent == 0:
			silent = s.First
		case !s.From.IsValid():
		case slices.Contains(gone.old, s.From):
			last, silent = s.Last, 0
		default:
			o := fate{left: true, stale: max(1, last-gone.sent), silence: 1}
			if silent != 0 {
				o.silence = s.First - silent
			}
			return o, true
		}
	}
	return fate{}, true
}
