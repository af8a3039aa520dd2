package path

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
)

const (
	vip     = "10.96.0.10:80"
	backend = "10.2.0.2:8080"
)

// network is a client and a backend joined by a node that translates the
// address of a Service. Its namespaces vanish with the test.
type network struct {
	client, node        *agenttest.Namespace
	clientLink, podLink string // of the node
}

// newNetwork makes a network whose node runs the nft rules given, and a server
// that accepts connections at the backend.
func newNetwork(t *testing.T, rules string) *network {
	t.Helper()
	client, node, pod := agenttest.NewNamespace(t), agenttest.NewNamespace(t), agenttest.NewNamespace(t)
	n := &network{client: client, node: node}
	_, n.clientLink = agenttest.Connect(client, netip.MustParsePrefix("10.1.0.2/24"), node, netip.MustParsePrefix("10.1.0.1/24"))
	// The node needs no default route, and can only be given one.
	node.Must(func() error {
		return netlink.RouteDel(&netlink.Route{Gw: net.IPv4(10, 1, 0, 2)})
	})
	n.podLink, _ = agenttest.Connect(node, netip.MustParsePrefix("10.2.0.1/24"), pod, netip.MustParsePrefix("10.2.0.2/24"))
	node.Must(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) // that of the thread's namespace
	})
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skipf("cannot translate addresses: %v", err)
	}
	node.Must(func() error { return command1(rules, nft, "-f", "-") })

	var server net.Listener
	pod.Must(func() (err error) {
		server, err = net.Listen("tcp4", backend)
		return err
	})
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return n
}

// command1 runs a command on the calling thread.
func command1(stdin, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}

// connect opens n connections from the client, one after the other.
func (n *network) connect(t *testing.T, to string, count int) {
	t.Helper()
	n.client.Must(func() error {
		for range count {
			c, err := net.DialTimeout("tcp4", to, 5*time.Second)
			if err != nil {
				return err
			}
			c.Close()
		}
		return nil
	})
}

// attach attaches a probe at the node by one method.
func (n *network) attach(t *testing.T, way method) *Probe {
	t.Helper()
	serve := n.node.Serve(func(ctx context.Context, c *agent.Conn) error { return serve(ctx, c, []method{way}) })
	p, err := Attach(t.Context(), agents(serve), Spec{ClientLink: n.clientLink, BackendLink: n.podLink, RingBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// left returns what is attached to the links of the node.
func (n *network) left(t *testing.T) []string {
	t.Helper()
	var found []string
	n.node.Must(func() error {
		for _, name := range []string{n.clientLink, n.podLink} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			for _, side := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
				q, err := link.QueryPrograms(link.QueryOptions{Target: l.Attrs().Index, Attach: side})
				if err == nil && len(q.Programs) > 0 { // an error where there is no tcx
					found = append(found, fmt.Sprintf("%s: %d tcx programs", name, len(q.Programs)))
				}
			}
			qdiscs, err := netlink.QdiscList(l)
			if err != nil {
				return err
			}
			for _, q := range qdiscs {
				if q.Type() != clsactKind {
					continue
				}
				found = append(found, name+": clsact")
				for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
					filters, err := netlink.FilterList(l, parent)
					if err != nil {
						return err
					}
					for _, f := range filters {
						found = append(found, fmt.Sprintf("%s: filter %s", name, f.(*netlink.BpfFilter).Name))
					}
				}
			}
		}
		return nil
	})
	return found
}

// ways returns the methods this kernel has, by trying each on lo.
func ways(t *testing.T) []method {
	t.Helper()
	r := loaded(t, DefaultRingBytes)
	node := agenttest.NewNamespace(t)
	var can []method
	for _, way := range methods() {
		node.Must(func() error {
			_, attached, err := attach(Spec{ClientLink: "lo", BackendLink: "lo"}, r, []method{way})
			if err != nil {
				t.Logf("%s is not tested: %v", way.name, err)
				return nil
			}
			can = append(can, way)
			return attached.Close()
		})
	}
	if len(can) == 0 {
		t.Skip("the kernel has no way to attach")
	}
	return can
}

const (
	dnat = `table ip svc {
		chain in { type nat hook prerouting priority dstnat; ip daddr 10.96.0.10 tcp dport 80 dnat to 10.2.0.2:8080; }
	}`
	masquerade = dnat + `
	table ip svc {
		chain out { type nat hook postrouting priority srcnat; ip daddr 10.2.0.2 masquerade fully-random; }
	}`
)

func TestThroughANode(t *testing.T) {
	for _, way := range ways(t) {
		for name, rules := range map[string]string{"dnat": dnat, "dnat and masquerade": masquerade} {
			t.Run(way.name+"/"+name, func(t *testing.T) {
				n := newNetwork(t, rules)
				p := n.attach(t, way)
				if p.How() != way.name {
					t.Errorf("attached by %q, want %q", p.How(), way.name)
				}
				if c, ok := p.OwnCost(); !ok || c.SYN <= 0 {
					t.Errorf("own cost %+v, %v", c, ok)
				}
				n.connect(t, vip, 10)
				if err := p.Reset(t.Context()); err != nil {
					t.Fatal(err)
				}
				const connections = 200
				n.connect(t, vip, connections)
				expect(t, p, vip, connections)
				n.connect(t, backend, 3) // straight to the pod
				expect(t, p, backend, 3)

				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if found := n.left(t); found != nil {
					t.Errorf("left behind: %q", found)
				}
			})
		}
	}
}

// expect collects and checks that there is one sample of each connection to an
// address, and nothing else.
func expect(t *testing.T, p *Probe, to string, connections int) {
	t.Helper()
	s, err := p.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Samples{Entered: uint64(connections), Matched: uint64(connections)}
	got := s
	got.Dst, got.Backend, got.NS = nil, nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var each int
	s.Each(func(dst, _ netip.Addr, ns int64) {
		each++
		if dst != netip.MustParseAddrPort(to).Addr() || ns <= 0 {
			t.Errorf("sample for %v of %d ns", dst, ns)
		}
	})
	if each != connections {
		t.Errorf("%d samples, want %d", each, connections)
	}
	for _, b := range s.Backend {
		if address(b) != netip.MustParseAddrPort(backend).Addr() {
			t.Errorf("went out to %v", address(b))
		}
	}
}

// stopper returns a program after which no other runs: its answer, "let it
// pass", is final. Cilium's programs are of that kind.
func stopper(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "stopper", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestBesideOthers checks that the probe runs although there already are
// programs that let none run after them, and that these outlive the probe.
func TestBesideOthers(t *testing.T) {
	occupy := map[string]func(t *testing.T, index int) error{
		"tcx": func(t *testing.T, index int) error {
			for _, side := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
				l, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: stopper(t), Attach: side})
				if err != nil {
					return err
				}
				t.Cleanup(func() { l.Close() })
			}
			return nil
		},
		"clsact": func(t *testing.T, index int) error {
			qdisc := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
			if err := netlink.QdiscAdd(qdisc); err != nil {
				return err
			}
			for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
				if err := netlink.FilterAdd(&netlink.BpfFilter{
					FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: parent, Handle: 1, Protocol: unix.ETH_P_ALL, Priority: 1},
					Fd:          stopper(t).FD(), Name: "stopper", DirectAction: true,
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for _, way := range ways(t) {
		t.Run(way.name, func(t *testing.T) {
			n := newNetwork(t, dnat)
			n.node.Must(func() error {
				for _, name := range []string{n.clientLink, n.podLink} {
					l, err := net.InterfaceByName(name)
					if err != nil {
						return err
					}
					if err := occupy[way.name](t, l.Index); err != nil {
						return err
					}
				}
				return nil
			})
			before := n.left(t)
			p := n.attach(t, way)
			n.connect(t, vip, 20)
			expect(t, p, vip, 20)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(before, n.left(t)); diff != "" || before == nil {
				t.Errorf("the others on the links (-before +after)\n%s", diff)
			}
		})
	}
}

// TestCancelledAgent checks that an agent told to stop takes its programs with
// it, even by the method by which they would stay.
func TestCancelledAgent(t *testing.T) {
	for _, way := range ways(t) {
		t.Run(way.name, func(t *testing.T) {
			n := newNetwork(t, dnat)
			ended := make(chan error, 1)
			serve := n.node.Serve(func(ctx context.Context, c *agent.Conn) error {
				err := serve(ctx, c, []method{way})
				ended <- err
				return err
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := Attach(ctx, agents(serve), Spec{ClientLink: n.clientLink, BackendLink: n.podLink})
			if err != nil {
				t.Fatal(err)
			}
			if n.left(t) == nil {
				t.Fatal("nothing attached")
			}
			cancel()
			<-ended
			if found := n.left(t); found != nil {
				t.Errorf("left behind: %q", found)
			}
			p.Close()
		})
	}
}

// TestLeftovers checks that a probe by clsact takes the place of one that was
// killed, and does not mind when its links go first.
func TestLeftovers(t *testing.T) {
	for _, way := range ways(t) {
		if way.name != "clsact" {
			continue
		}
		n := newNetwork(t, dnat)
		killed, r := loaded(t, DefaultRingBytes), loaded(t, DefaultRingBytes)
		spec := Spec{ClientLink: n.clientLink, BackendLink: n.podLink}
		n.node.Must(func() error {
			if _, _, err := attach(spec, killed, []method{way}); err != nil {
				return err
			}
			_, attached, err := attach(spec, r, []method{way})
			if err != nil {
				return err
			}
			n.connect(t, vip, 5)
			if s := collected(t, killed); s.Entered != 0 {
				t.Errorf("the killed probe saw %d SYNs", s.Entered)
			}
			if s := collected(t, r); s.Matched != 5 {
				t.Errorf("the new probe matched %d SYNs, want 5", s.Matched)
			}
			l, err := netlink.LinkByName(n.podLink)
			if err != nil {
				return err
			}
			if err := netlink.LinkDel(l); err != nil {
				return err
			}
			return attached.Close()
		})
	}
}
