package runners

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/scenarios"
)

// tableInterval is the time between two looks at the kernel's tables: the
// resolution with which changes are seen there.
const tableInterval = time.Millisecond

// openTable opens the tables of the proxy, if they can be looked up while it
// works and anybody wants to know; else it returns nil.
func (f *inFlight) openTable() (clusters.Table, error) {
	proxy, ok := f.cluster.Proxy().(clusters.Tabled)
	if !ok {
		return nil, nil
	}
	table, err := proxy.Table()
	if err != nil {
		return nil, fmt.Errorf("open the proxy's tables: %w", err)
	}
	return table, nil
}

// awaitTable returns when the kernel's tables lead the Service to these
// endpoints and no others, in ns of CLOCK_MONOTONIC; 0 if that has not come
// true when ctx ends. The error is that they cannot be read.
func awaitTable(ctx context.Context, table clusters.Table, service netip.AddrPort, protocol scenarios.Protocol, want []netip.Addr) (int64, error) {
	want = slices.Clone(want)
	slices.SortFunc(want, netip.Addr.Compare)
	tick := time.NewTicker(tableInterval)
	defer tick.Stop()
	for last := false; ; {
		found, err := table.Endpoints(service, protocol)
		if err != nil {
			return 0, fmt.Errorf("read the proxy's tables: %w", err)
		}
		slices.SortFunc(found, netip.Addr.Compare)
		switch {
		case slices.Equal(found, want):
			return agent.Now(), nil
		case last:
			return 0, nil
		}
		select {
		case <-ctx.Done():
			last = true // traffic may be there before the next look is
		case <-tick.C:
		}
	}
}
