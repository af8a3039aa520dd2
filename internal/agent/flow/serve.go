package flow

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/errkind"
)

// Serve is the agent: it connects from the network namespace of its process.
func Serve(ctx context.Context, c *agent.Conn) error { return agent.Answer(ctx, c, keep) }

// asker asks on one flow.
type asker interface {
	// ask asks once and returns who answered before the deadline.
	ask(deadline time.Time) (netip.Addr, error)
	// connection is the number of the connection that was asked on last.
	connection() int
	close()
}

// keep does what the Spec says.
func keep(ctx context.Context, spec Spec) ([]Flow, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, spec.Duration)
	defer cancel()
	flows := make([]Flow, len(spec.Targets))
	var all sync.WaitGroup
	for i, target := range spec.Targets {
		flows[i].Target = target
		var a asker = &web{target: target}
		if spec.Protocol == agent.UDP {
			// Flows to one target need ports of their own, and none of those that
			// other instruments connect from.
			a = &datagrams{target: target, port: uint16(datagram.Kept) + uint16(i)%datagram.KeptPorts}
		}
		// Not all at the same moment.
		offset := spec.Interval * time.Duration(i) / time.Duration(len(spec.Targets))
		all.Go(func() { flows[i].follow(ctx, spec, a, offset) })
	}
	all.Wait()
	return flows, nil
}

// follow asks until ctx ends.
func (f *Flow) follow(ctx context.Context, spec Spec, a asker, offset time.Duration) {
	defer a.close()
	select {
	case <-ctx.Done():
		return
	case <-time.After(offset):
	}
	timeout := spec.Timeout
	if spec.Protocol == agent.UDP { // the next datagram does not wait for the answer to one
		timeout = spec.Interval
	}
	tick := time.NewTicker(spec.Interval)
	defer tick.Stop()
	for {
		at := agent.Now()
		from, err := a.ask(time.Now().Add(timeout))
		f.add(at, a.connection(), from, errkind.Of(err))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
