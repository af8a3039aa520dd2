package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svcbench/clusters"
)

// conflist is where a node's container runtime looks for its network.
const conflist = "/etc/cni/net.d/10-svcbench.conflist"

// pluginConfig is the network of a node's pods: what kind's own daemon writes.
func pluginConfig(pods netip.Prefix) ([]byte, error) {
	return json.Marshal(map[string]any{
		"cniVersion": "0.3.1", "name": "svcbench",
		"plugins": []map[string]any{
			{
				"type": "ptp", "ipMasq": false,
				"ipam": map[string]any{
					"type": "host-local", "dataDir": "/run/cni-ipam-state",
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
					"ranges": [][]map[string]string{{{"subnet": pods.String()}}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	})
}

// podsOf is the range of the pods of the i-th node. It is not the one that
// Kubernetes gives the node: of that Cilium takes an address for itself, without
// asking who has it.
func podsOf(i int) netip.Prefix {
	a := nodePods.Addr().As4()
	a[2] = byte(i)
	return netip.PrefixFrom(netip.AddrFrom4(a), 24)
}

// connectPods gives every node the network of its pods and the routes to those
// of the others.
func (c *cluster) connectPods(ctx context.Context) error {
	nodes, err := c.numbered(ctx)
	if err != nil {
		return err
	}
	for i, n := range nodes {
		config, err := pluginConfig(podsOf(i))
		if err != nil {
			return err
		}
		at := c.node(n.Name)
		if _, err := at.Run(ctx, config, "dd", "status=none", "of="+conflist); err != nil {
			return fmt.Errorf("write network of pods on %s: %w", n.Name, err)
		}
		for j, other := range nodes {
			if other.Name == n.Name {
				continue
			}
			if _, err := at.Run(ctx, nil, "ip", "route", "replace", podsOf(j).String(), "via", internalIP(other)); err != nil {
				return fmt.Errorf("route to pods of %s: %w", other.Name, err)
			}
		}
	}
	return nil
}

// numbered waits until all nodes have a range of pods.
func (c *cluster) numbered(ctx context.Context) ([]corev1.Node, error) {
	var nodes []corev1.Node
	err := poll(ctx, "every node to get a range of pods", func(ctx context.Context) (bool, error) {
		list, err := c.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		nodes = list.Items
		for _, n := range nodes {
			if n.Spec.PodCIDR == "" || internalIP(n) == "" {
				return false, nil
			}
		}
		return len(nodes) == 1+c.workers, nil
	})
	return nodes, err
}

// internalIP is the address of a node; empty if it has none yet.
func internalIP(n corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// routePods leads every node to the backend for all pods behind Services. What is
// for a Service goes there too, where no rule says otherwise: it must have a way
// out, or the rules that refuse connections would never see it, but not one out of
// this machine. The backend swallows it.
func (c *cluster) routePods(ctx context.Context) error {
	backend := c.pods[clusters.AtBackend]
	link, err := c.linkTo(ctx, backend)
	if err != nil {
		return err
	}
	at := c.node(backend.node)
	// Its answers come from addresses that no route leads back to by the
	// link they came by, were the kernel strict about that.
	for _, key := range []string{"all", link} {
		if _, err := at.Run(ctx, nil, "sysctl", "-q", "-w", "net.ipv4.conf."+key+".rp_filter=0"); err != nil {
			return err
		}
	}
	nodes, err := c.numbered(ctx)
	if err != nil {
		return err
	}
	var home string
	for _, n := range nodes {
		if n.Name == backend.node {
			home = internalIP(n)
		}
	}
	for _, n := range nodes {
		via := []string{"via", home}
		if n.Name == backend.node {
			via = []string{"via", backend.ip.String(), "dev", link, "onlink"}
		}
		for _, dst := range []netip.Prefix{podRange, serviceRange} {
			if _, err := c.node(n.Name).Run(ctx, nil, "ip", append([]string{"route", "replace", dst.String()}, via...)...); err != nil {
				return fmt.Errorf("route to %v on %s: %w", dst, n.Name, err)
			}
		}
	}
	return nil
}

// linkTo is the link by which a node reaches a pod of its own.
func (c *cluster) linkTo(ctx context.Context, p pod) (string, error) {
	out, err := c.node(p.node).Run(ctx, nil, "ip", "-j", "route", "get", p.ip.String())
	if err != nil {
		return "", err
	}
	var routes []struct{ Dev string }
	if err := json.Unmarshal(out, &routes); err != nil || len(routes) == 0 || routes[0].Dev == "" {
		return "", fmt.Errorf("%s does not say how it reaches pod %v: %s", p.node, p.ip, out)
	}
	return routes[0].Dev, nil
}

// describe is what a runner is told of the network.
func (c *cluster) describe(ctx context.Context) (clusters.Network, error) {
	client, backend := c.pods[clusters.AtClient], c.pods[clusters.AtBackend]
	n := clusters.Network{Services: serviceRange, Pods: podRange, Node: backend.node}
	var err error
	if n.ClientLink, err = c.linkTo(ctx, client); err != nil {
		return n, err
	}
	// From the client's node to the backend: a link to another node, or to the pod.
	if n.BackendLink, err = c.linkTo(ctx, pod{node: client.node, ip: podRange.Addr().Next()}); err != nil {
		return n, err
	}
	node, err := c.api.CoreV1().Nodes().Get(ctx, client.node, metav1.GetOptions{})
	if err != nil {
		return n, err
	}
	n.NodeAddr, err = netip.ParseAddr(internalIP(*node))
	return n, err
}
