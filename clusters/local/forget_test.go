package local

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"svcbench/clusters"
	"svcbench/internal/agent/verify"
	"svcbench/scenarios"
)

// What the node remembers of a connection to a Service without rules is gone
// once it has been told to forget.
func TestForget(t *testing.T) {
	p, _ := newProvider(t)
	mustRun(t, p, scenarios.IPTables)
	started, err := p.Start(t.Context(), clusters.Config{Name: "test", Mode: scenarios.IPTables, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close(t.Context())
	c := started.(*cluster)
	populate(t, c.API())
	if _, err := c.Proxy().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitServices(t, c)
	nobody := netip.MustParseAddr("10.96.200.200") // no Service has it
	remembered := func() (n int) {
		h, err := c.network.node.Netlink()
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		flows, err := h.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			if f.Forward.DstIP.Equal(nobody.AsSlice()) {
				n++
			}
		}
		return n
	}
	spec := verify.Spec{Targets: []verify.Target{{ID: "nobody", Addr: netip.AddrPortFrom(nobody, 80), Want: []netip.Addr{podIP(0)}}}, Timeout: 300 * time.Millisecond}
	if result, err := verify.Run(t.Context(), c.Place(clusters.AtClient), spec); err != nil || result.Converged() {
		t.Fatalf("somebody answered: %v, %v", result, err)
	}
	if remembered() == 0 {
		t.Error("the node remembers no connection to nobody: nothing to forget")
	}
	if err := c.Forget(); err != nil {
		t.Fatal(err)
	}
	if n := remembered(); n != 0 {
		t.Errorf("%d connections are still remembered", n)
	}
}
