// Package population is what exists in a cluster before anything is measured:
// Services without selectors and the EndpointSlices behind them, at addresses
// that follow from their numbers alone. The same population in another mode
// or another run is the same to the last bit.
package population

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svcbench/clusters"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// Namespace is the namespace of every object.
const Namespace = "svcbench"

const (
	// reserved is how many addresses at the beginning of both ranges are left
	// alone. In the range of Services they are the band that others choose
	// from by hand (KEP-3070 makes it at most 256 addresses): the API server
	// takes the first, cluster DNS commonly the tenth.
	reserved = 256
	// firstPort and firstTarget are the first port of every Service and the
	// first one on which every pod IP answers; further ones count on.
	firstPort   = 80
	firstTarget = 8080
)

// manager marks the objects, and tells the endpoint slice controller that the
// slices are not its own.
const manager = "svcbench"

// Population is a number of like Services and their endpoints. Services are
// numbered from 0. It is a value without state: endpoints that have been
// replaced are for the caller to remember.
type Population struct {
	services, endpoints int
	ports               []port
	protocol            corev1.Protocol
	nodePorts           bool
	network             clusters.Network
}

type port struct {
	name           string
	number, target uint16
}

// New returns the population of a point in a network. The ports, protocol and
// type of Services are those of the kind, its numbers those of the point.
// spare is the number of further pod IPs that churn will need. It is a usage
// error if the network has not enough addresses.
func New(network clusters.Network, point scenarios.Point, kind scenarios.Population, spare int) (*Population, error) {
	p := &Population{
		services: point.Services, endpoints: point.Endpoints, network: network,
		protocol: corev1.Protocol(kind.Protocol), nodePorts: kind.Type == scenarios.NodePort,
	}
	for i, target := range Targets(kind.Ports) {
		p.ports = append(p.ports, port{name: fmt.Sprintf("p%d", i+1), number: firstPort + uint16(i), target: target})
	}
	for _, r := range []struct {
		what   string
		prefix netip.Prefix
		need   int
	}{
		{"cluster IPs", network.Services, p.services + EmptyServices},
		{"pod IPs", network.Pods, p.services*p.endpoints + spare},
	} {
		if has := capacity(r.prefix); r.need > has {
			return nil, failure.New(failure.Usage, fmt.Errorf("%d %s do not fit into %v, which has room for %d", r.need, r.what, r.prefix, has),
				"lower the number of Services or endpoints, or the rate or duration of the churn")
		}
	}
	if need := p.services * len(p.ports); p.nodePorts && need > scenarios.MaxNodePorts {
		return nil, failure.New(failure.Usage, fmt.Errorf("%d node ports do not fit into the %d from %d to %d", need,
			scenarios.MaxNodePorts, scenarios.FirstNodePort, scenarios.LastNodePort), "lower the number of Services or ports")
	}
	return p, nil
}

// Targets returns the ports on which every pod IP must answer if each Service
// has that many ports.
func Targets(ports int) []uint16 {
	targets := make([]uint16, ports)
	for i := range targets {
		targets[i] = firstTarget + uint16(i)
	}
	return targets
}

// Services returns the number of Services.
func (p *Population) Services() int { return p.services }

// Endpoints returns the number of endpoints of each Service.
func (p *Population) Endpoints() int { return p.endpoints }

// Objects returns the number of API objects, two a Service.
func (p *Population) Objects() int { return 2 * p.services }

// Name returns the name of Service i, such as "svc-00042".
func (p *Population) Name(i int) string { return fmt.Sprintf("svc-%05d", i) }

// ClusterIP returns the address of Service i.
func (p *Population) ClusterIP(i int) netip.Addr { return nth(p.network.Services, reserved+i) }

// Index returns the number of the Service that has that cluster IP, and false
// if none has.
func (p *Population) Index(ip netip.Addr) (int, bool) {
	if !p.network.Services.Contains(ip) {
		return 0, false
	}
	i := int(number(ip)) - int(number(p.network.Services.Masked().Addr())) - reserved
	return i, i >= 0 && i < p.services
}

// Addr returns where traffic for the first port of Service i goes: to its
// cluster IP or, if it has node ports, to the node.
func (p *Population) Addr(i int) netip.AddrPort { return p.frontend(i, 0) }

// LastAddr returns the same for the last port of Service i.
func (p *Population) LastAddr(i int) netip.AddrPort { return p.frontend(i, len(p.ports)-1) }

func (p *Population) frontend(i, port int) netip.AddrPort {
	if p.nodePorts {
		return netip.AddrPortFrom(p.network.NodeAddr, p.nodePort(i, port))
	}
	return netip.AddrPortFrom(p.ClusterIP(i), p.ports[port].number)
}

// nodePort returns the node port of one port of Service i, which Kubernetes
// would draw at random.
func (p *Population) nodePort(i, port int) uint16 {
	return scenarios.FirstNodePort + uint16(i*len(p.ports)+port)
}

// Asked returns the number of the Service that a new connection was for, from
// the address it went to and the pod that got it, and false if it was for none.
// All node ports have one address, so that only the pod tells the Services
// behind them apart, as long as endpoints are as they were populated.
func (p *Population) Asked(dst, pod netip.Addr) (int, bool) {
	if p.nodePorts && dst == p.network.NodeAddr {
		return p.owner(pod)
	}
	return p.Index(dst)
}

// owner returns the number of the Service whose endpoint a pod IP was at first.
func (p *Population) owner(pod netip.Addr) (int, bool) {
	if !p.IsPod(pod) {
		return 0, false
	}
	n := int(number(pod)) - int(number(p.network.Pods.Masked().Addr())) - reserved
	return n / p.endpoints, n >= 0 && n < p.services*p.endpoints
}

// Ports returns the number of ports of each Service.
func (p *Population) Ports() int { return len(p.ports) }

// IsPod reports whether ip is in the range of pod IPs.
func (p *Population) IsPod(ip netip.Addr) bool { return p.network.Pods.Contains(ip) }

// PodAddr returns where the pod at ip itself answers.
func (p *Population) PodAddr(ip netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(ip, p.ports[0].target)
}

// PodIPs returns the endpoints of Service i as it was populated. Consecutive
// Services have consecutive pod IPs.
func (p *Population) PodIPs(i int) []netip.Addr { return p.podBlock(i) }

// Spare returns the n-th set of endpoints that no Service has, for a change.
func (p *Population) Spare(n int) []netip.Addr { return p.podBlock(p.services + n) }

func (p *Population) podBlock(n int) []netip.Addr {
	ips := make([]netip.Addr, p.endpoints)
	for j := range ips {
		ips[j] = nth(p.network.Pods, reserved+n*p.endpoints+j)
	}
	return ips
}

// Service returns the object of Service i.
func (p *Population) Service(i int) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name(i), Namespace: Namespace,
			Labels: map[string]string{"app.kubernetes.io/managed-by": manager},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: p.ClusterIP(i).String()},
	}
	for _, port := range p.ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: port.name, Protocol: p.protocol, Port: int32(port.number), TargetPort: intstr.FromInt32(int32(port.target)),
		})
	}
	if p.nodePorts {
		s.Spec.Type = corev1.ServiceTypeNodePort
		for at := range s.Spec.Ports {
			s.Spec.Ports[at].NodePort = int32(p.nodePort(i, at))
		}
	}
	return s
}

// ServiceAt returns the object of Service i with another number for its first
// port.
func (p *Population) ServiceAt(i int, port uint16) *corev1.Service {
	s := p.Service(i)
	s.Spec.Ports[0].Port = int32(port)
	return s
}

// Endpoints are those of an EndpointSlice by the state of their pods.
type Endpoints struct {
	// Ready are those that get connections.
	Ready []netip.Addr
	// Resting are not ready, and go on running.
	Resting []netip.Addr
	// Ending have been told to end, and still answer.
	Ending []netip.Addr
}

// EndpointSlice returns the object that gives Service i these endpoints. There is
// one slice a Service however many endpoints it has, so that a change is one write;
// Kubernetes' own controller would begin another after 100.
func (p *Population) EndpointSlice(i int, e Endpoints) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name(i), Namespace: Namespace,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: p.Name(i),
				discoveryv1.LabelManagedBy:   manager,
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for _, group := range []struct {
		ips        []netip.Addr
		conditions discoveryv1.EndpointConditions
	}{
		{e.Ready, discoveryv1.EndpointConditions{Ready: new(true)}},
		{e.Resting, discoveryv1.EndpointConditions{Ready: new(false)}},
		{e.Ending, discoveryv1.EndpointConditions{Ready: new(false), Serving: new(true), Terminating: new(true)}},
	} {
		for _, ip := range group.ips {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{ip.String()}, Conditions: group.conditions, NodeName: new(p.network.Node),
			})
		}
	}
	for _, port := range p.ports {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{
			Name: new(port.name), Protocol: new(p.protocol), Port: new(int32(port.target)),
		})
	}
	return s
}

// capacity is how many addresses of an IPv4 range can be given away: all but
// the reserved ones and the last, its broadcast address.
func capacity(r netip.Prefix) int {
	if !r.IsValid() || !r.Addr().Is4() {
		return 0
	}
	return max(0, 1<<(32-r.Bits())-reserved-1)
}

// nth returns the n-th address of an IPv4 range, from 0.
func nth(r netip.Prefix, n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], number(r.Masked().Addr())+uint32(n))
	return netip.AddrFrom4(b)
}

func number(ip netip.Addr) uint32 {
	b := ip.As4()
	return binary.BigEndian.Uint32(b[:])
}
