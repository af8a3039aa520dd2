package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"svcbench/clusters"
	"svcbench/internal/agent/backend"
	"svcbench/internal/netns"
)

// A cluster's network:
//
//	control ──── node ──── client
//	               │
//	               └────── backend
//
// Each is a network namespace; the machine itself has no link to any of them.
// Because nothing is shared, every cluster uses the same addresses.
var (
	controlAddr = netip.MustParsePrefix("172.31.0.1/30")
	nodeControl = netip.MustParsePrefix("172.31.0.2/30")

	// The client is a pod: its address is inside the range of pods, so that
	// its traffic is not masqueraded, as that of a pod is not.
	nodeClient = netip.MustParsePrefix("10.159.255.1/30")
	clientAddr = netip.MustParsePrefix("10.159.255.2/30")

	nodeBackend = netip.MustParsePrefix("172.31.1.1/30")
	backendAddr = netip.MustParsePrefix("172.31.1.2/30")

	// clusterRange is what the proxy takes for pods. The lower half are the
	// pods behind Services, a million; the client is in the upper half.
	clusterRange = netip.MustParsePrefix("10.128.0.0/11")
	podRange     = netip.MustParsePrefix("10.128.0.0/12")
	// nodePods are the pods on the node itself, of which there are none: no
	// address is in it. Cilium takes what is for its own pods.
	nodePods = netip.MustParsePrefix("10.159.254.0/24")
	// serviceRange, the largest that the API server takes, has room for a
	// million Services.
	serviceRange = netip.MustParsePrefix("10.96.0.0/12")
)

// The node's links.
const (
	controlLink = "control"
	clientLink  = "client"
	backendLink = "backend"
)

const nodeName = "svcbench-node"

// network is the namespaces of one cluster.
type network struct {
	control, node, client, backend *netns.Namespace
	borrowed                       bool // control is another's
	joined                         bool // there is a link from it to the node
}

// newNetwork makes and joins the namespaces, with that of a control plane if
// there is one already; on failure none is left.
func newNetwork(prefix string, control *netns.Namespace) (_ *network, err error) {
	n := &network{control: control, borrowed: control != nil}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	for _, place := range []struct {
		name string
		ns   **netns.Namespace
	}{{"control", &n.control}, {"node", &n.node}, {"client", &n.client}, {"backend", &n.backend}} {
		if *place.ns != nil {
			continue
		}
		if *place.ns, err = netns.Create(prefix + "-" + place.name); err != nil {
			return nil, err
		}
	}
	for _, j := range []struct {
		link        string
		here, there netip.Prefix
		far         *netns.Namespace
	}{
		{controlLink, nodeControl, controlAddr, n.control},
		{clientLink, nodeClient, clientAddr, n.client},
		{backendLink, nodeBackend, backendAddr, n.backend},
	} {
		if err := join(n.node, j.link, j.here, j.far, j.there); err != nil {
			return nil, fmt.Errorf("join node and %s: %w", j.link, err)
		}
		n.joined = true // the control plane's is the first
	}
	return n, n.route()
}

// join makes a veth pair from the node to another place, where the link is
// called eth0.
func join(node *netns.Namespace, link string, here netip.Prefix, far *netns.Namespace, there netip.Prefix) error {
	h, err := node.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	pair := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: link},
		PeerName:      "eth0",
		PeerNamespace: netlink.NsFd(far.FD()),
	}
	if err := h.LinkAdd(pair); err != nil {
		return fmt.Errorf("make veth pair: %w", err)
	}
	if err := up(h, link, here); err != nil {
		return err
	}
	fh, err := far.Netlink()
	if err != nil {
		return err
	}
	defer fh.Close()
	return up(fh, "eth0", there)
}

// up gives a link its address and brings it up.
func up(h *netlink.Handle, name string, addr netip.Prefix) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := h.AddrAdd(link, &netlink.Addr{IPNet: ipNet(addr)}); err != nil {
		return fmt.Errorf("give %s the address %v: %w", name, addr, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// route lets client and backend reach each other through the node, and makes
// every pod IP an address of the backend (AnyIP: a local route for a range).
func (n *network) route() error {
	everything := netip.MustParsePrefix("0.0.0.0/0")
	for _, r := range []struct {
		ns  *netns.Namespace
		dst netip.Prefix
		via netip.Addr
	}{
		{n.client, everything, nodeClient.Addr()},
		{n.backend, everything, nodeBackend.Addr()},
		{n.control, everything, nodeControl.Addr()},
		{n.node, podRange, backendAddr.Addr()},
		// As on any node, what is for nobody here has a way out. Without one,
		// packets for a Service without endpoints would be dropped before a
		// proxy's rule for forwarded packets could refuse them.
		{n.node, everything, backendAddr.Addr()},
	} {
		if err := addRoute(r.ns, &netlink.Route{Dst: ipNet(r.dst), Gw: r.via.AsSlice()}); err != nil {
			return fmt.Errorf("route %v in %s: %w", r.dst, r.ns.Name(), err)
		}
	}
	if err := anyIP(n.backend, podRange); err != nil {
		return err
	}
	// A new namespace takes this over from the machine, which forwards where
	// Docker runs: what is for nobody would then come back from the backend to
	// the node, again and again.
	for ns, forward := range map[*netns.Namespace]string{n.node: "1", n.client: "0", n.backend: "0", n.control: "0"} {
		if err := ns.Sysctl("net.ipv4.ip_forward", forward); err != nil {
			return err
		}
	}
	return nil
}

func addRoute(ns *netns.Namespace, r *netlink.Route) error {
	h, err := ns.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	return h.RouteAdd(r)
}

func anyIP(ns *netns.Namespace, pods netip.Prefix) error {
	h, err := ns.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	if err := backend.Take(h, pods); err != nil {
		return fmt.Errorf("make every pod IP local to %s: %w", ns.Name(), err)
	}
	return nil
}

// hostPrefix is the address of p alone.
func hostPrefix(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr(), p.Addr().BitLen()) }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// describe is what a runner is told of the network.
func describe() clusters.Network {
	return clusters.Network{
		Services: serviceRange, Pods: podRange,
		ClientLink: clientLink, BackendLink: backendLink,
		Node: nodeName, NodeAddr: nodeBackend.Addr(),
	}
}

// close removes the namespaces; links and rules go with them.
func (n *network) close() error {
	var errs []error
	own := []*netns.Namespace{n.client, n.backend, n.node, n.control}
	if n.borrowed {
		own = own[:3]
		if n.node != nil && n.joined {
			errs = append(errs, n.leave())
			n.joined = false
		}
	}
	for _, ns := range own {
		if ns != nil {
			errs = append(errs, ns.Delete())
		}
	}
	return errors.Join(errs...)
}
