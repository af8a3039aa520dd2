package backend

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// switches turns pod IPs off and on in one network namespace. Off is a route
// "blackhole IP/32" in the local table, where it beats the local route of the
// whole range: packets to and from the address vanish without a word, as those
// of a pod that is gone, and established connections stall.
type switches struct {
	handle *netlink.Handle
	dark   map[netip.Addr]struct{}
}

// newSwitches works on the network namespace of the calling thread.
func newSwitches() (*switches, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink to switch pod IPs: %w", err)
	}
	return &switches{handle: h, dark: map[netip.Addr]struct{}{}}, nil
}

// off makes the IPs stop answering. Those that are off already stay so.
func (s *switches) off(ips []netip.Addr) error {
	for _, ip := range ips {
		if _, ok := s.dark[ip]; ok {
			continue
		}
		route, err := blackhole(ip)
		if err != nil {
			return fmt.Errorf("switch off pod IP: %w", err)
		}
		if err := s.add(route); err != nil {
			return fmt.Errorf("switch off pod IP %v: %w", ip, err)
		}
		s.dark[ip] = struct{}{}
	}
	return nil
}

// add makes the route unless an earlier agent left it behind.
func (s *switches) add(route *netlink.Route) error {
	err := s.handle.RouteAdd(route)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	found, listing := s.handle.RouteListFiltered(netlink.FAMILY_V4, route,
		netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST|netlink.RT_FILTER_TYPE)
	if listing != nil || len(found) == 0 {
		return errors.Join(err, listing) // something else has the address: a device
	}
	return nil
}

// on makes the IPs answer again. Those that are on already stay so.
func (s *switches) on(ips []netip.Addr) error {
	for _, ip := range ips {
		route, err := blackhole(ip)
		if err != nil {
			return fmt.Errorf("switch on pod IP: %w", err)
		}
		// Deleting takes only a blackhole, never the route of a device.
		if err := s.handle.RouteDel(route); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("switch on pod IP %v: %w", ip, err)
		}
		delete(s.dark, ip)
	}
	return nil
}

// close switches everything on again.
func (s *switches) close() error {
	defer s.handle.Close()
	ips := make([]netip.Addr, 0, len(s.dark))
	for ip := range s.dark {
		ips = append(ips, ip)
	}
	return s.on(ips)
}

func blackhole(ip netip.Addr) (*netlink.Route, error) {
	if !ip.Is4() {
		return nil, fmt.Errorf("%v is not an IPv4 address", ip)
	}
	return &netlink.Route{
		Dst:   &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(32, 32)},
		Table: unix.RT_TABLE_LOCAL,
		Type:  unix.RTN_BLACKHOLE,
	}, nil
}
