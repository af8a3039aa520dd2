package backend

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Take makes every address of a range one of a network namespace (AnyIP: a local
// route for the range). An empty handle stands for the one it is called in.
func Take(h *netlink.Handle, addresses netip.Prefix) error {
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	err = h.RouteReplace(&netlink.Route{
		Dst: ipNet(addresses), LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
	})
	if err != nil {
		return fmt.Errorf("take the addresses %v: %w", addresses, err)
	}
	return nil
}

// Swallow drops what comes to the network namespace it is called in for a range of
// addresses, instead of sending it on.
func Swallow(addresses netip.Prefix) error {
	if err := netlink.RouteReplace(&netlink.Route{Dst: ipNet(addresses), Type: unix.RTN_BLACKHOLE}); err != nil {
		return fmt.Errorf("swallow what is for %v: %w", addresses, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
