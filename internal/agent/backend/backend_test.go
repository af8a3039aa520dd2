package backend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/identity"
)

// pods is the range of pod IPs in these tests.
var pods = netip.MustParsePrefix("10.244.0.0/16")

// pair is a client and a backend namespace joined by a link.
type pair struct{ client, server *agenttest.Namespace }

func newPair(t testing.TB) pair {
	t.Helper()
	p := pair{agenttest.NewNamespace(t), agenttest.NewNamespace(t)}
	agenttest.Connect(p.client, netip.MustParsePrefix("192.0.2.1/30"), p.server, netip.MustParsePrefix("192.0.2.2/30"))
	p.server.AnyIP(pods)
	return p
}

// start runs a backend in the server's namespace.
func (p pair) start(t testing.TB, spec backend.Spec) *backend.Backend {
	t.Helper()
	l := agenttest.Launcher{backend.Name: p.server.Serve(backend.Serve)}
	b, err := backend.Start(t.Context(), l, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// dial connects from the client's namespace.
func (p pair) dial(addr string) (c net.Conn, err error) {
	err = p.client.Do(func() error {
		c, err = (&net.Dialer{Timeout: 300 * time.Millisecond}).Dial("tcp4", addr)
		return err
	})
	return c, err
}

// ask returns who answers at addr.
func (p pair) ask(addr string) (string, error) {
	c, err := p.dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	from, err := identity.Ask(c)
	return from.String(), err
}

func TestIdentityOfEveryPodIP(t *testing.T) {
	p := newPair(t)
	p.start(t, backend.Spec{Ports: []uint16{8080, 9090}})
	for _, addr := range []string{"10.244.0.1:8080", "10.244.255.254:8080", "10.244.7.9:9090", "192.0.2.2:8080"} {
		if from, err := p.ask(addr); from != addr {
			t.Errorf("asked %s: answered by %s, %v", addr, from, err)
		}
	}
}

// askUDP returns who answers a question over UDP at addr within that time.
func (p pair) askUDP(addr string, within time.Duration) (from netip.AddrPort, err error) {
	const cookie = 1<<63 + 42
	err = p.client.Do(func() error {
		c, err := net.Dial("udp4", addr) // takes answers from addr only
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(within)); err != nil {
			return err
		}
		// What is no question gets no answer.
		for _, b := range [][]byte{[]byte("I"), nil, []byte("01234567890123456")} {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		question := identity.Query(cookie)
		if _, err := c.Write(question[:]); err != nil {
			return err
		}
		answer := make([]byte, 64)
		n, err := c.Read(answer)
		if err != nil {
			return err
		}
		var ok bool
		if from, ok = identity.Reply(answer[:n], cookie); !ok {
			return fmt.Errorf("answer %x", answer[:n])
		}
		return nil
	})
	return from, err
}

func TestIdentityOverUDP(t *testing.T) {
	p := newPair(t)
	b := p.start(t, backend.Spec{Ports: []uint16{8080, 9090}})
	const patience = 10 * time.Second // with a busy machine
	for _, addr := range []string{"10.244.0.1:8080", "10.244.255.254:8080", "10.244.7.9:9090", "192.0.2.2:8080"} {
		if from, err := p.askUDP(addr, patience); from.String() != addr {
			t.Errorf("asked %s: answered by %v, %v", addr, from, err)
		}
	}
	const dark = "10.244.0.1"
	if err := b.Off(t.Context(), netip.MustParseAddr(dark)); err != nil {
		t.Fatal(err)
	}
	if from, err := p.askUDP(dark+":8080", 300*time.Millisecond); !isTimeout(err) {
		t.Errorf("pod that is off: answered by %v, %v, want a time-out", from, err)
	}
	if err := b.On(t.Context(), netip.MustParseAddr(dark)); err != nil {
		t.Fatal(err)
	}
	if from, err := p.askUDP(dark+":8080", patience); err != nil {
		t.Errorf("pod that is on again: answered by %v, %v", from, err)
	}
}

func TestHTTPKeepsConnections(t *testing.T) {
	p := newPair(t)
	p.start(t, backend.Spec{})
	const addr = "10.244.3.4:8080"
	c, err := p.dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD /any HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		method, _, _ := strings.Cut(request, " ")
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		want := addr + "\n"
		if method == http.MethodHead {
			want = ""
		}
		if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get(backend.Header) != addr || string(body) != want {
			t.Errorf("%s: %s, header %q, body %q, %v", method, answer.Status, answer.Header.Get(backend.Header), body, err)
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after Connection: close: %v, want %v", err, io.EOF)
	}
}

// With and without forwarding the kernel takes different ways to drop.
func TestOffAndOn(t *testing.T) {
	for _, forward := range []string{"0", "1"} {
		t.Run("forward="+forward, func(t *testing.T) {
			p := newPair(t)
			p.server.Must(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(forward), 0o644) })
			testOffAndOn(t, p)
		})
	}
}

func testOffAndOn(t *testing.T, p pair) {
	b := p.start(t, backend.Spec{})
	ctx := t.Context()
	dark, other := netip.MustParseAddr("10.244.0.1"), "10.244.0.2:8080"
	addr := dark.String() + ":8080"

	c, err := p.dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	get := func() error {
		if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	if err := get(); err != nil {
		t.Fatalf("established connection before: %v", err)
	}
	for range 2 { // the second time changes nothing
		if err := b.Off(ctx, dark); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.ask(addr); !isTimeout(err) {
		t.Errorf("new connection to a pod that is off: %v, want a time-out", err)
	}
	if err := get(); !isTimeout(err) {
		t.Errorf("established connection to a pod that is off: %v, want a time-out", err)
	}
	if from, err := p.ask(other); from != other {
		t.Errorf("another pod: answered by %s, %v", from, err)
	}
	for range 2 {
		if err := b.On(ctx, dark); err != nil {
			t.Fatal(err)
		}
	}
	if from, err := p.ask(addr); from != addr {
		t.Errorf("pod that is on again: answered by %s, %v", from, err)
	}
	// The stalled request was repeated by the kernel; its answer still comes.
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("established connection when the pod is on again: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestThousandsOff(t *testing.T) {
	p := newPair(t)
	b := p.start(t, backend.Spec{})
	ips := thousands(5000)
	// What an earlier agent left behind is no obstacle.
	p.server.Must(func() error {
		return netlink.RouteAdd(&netlink.Route{
			Dst: &net.IPNet{IP: ips[7].AsSlice(), Mask: net.CIDRMask(32, 32)}, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_BLACKHOLE})
	})
	if err := b.Off(t.Context(), ips...); err != nil {
		t.Fatal(err)
	}
	if got := blackholes(t, p); got != len(ips) {
		t.Errorf("%d routes for %d pods that are off", got, len(ips))
	}
	if err := b.On(t.Context(), ips[:3000]...); err != nil {
		t.Fatal(err)
	}
	if got := blackholes(t, p); got != len(ips)-3000 {
		t.Errorf("%d routes for %d pods that are off", got, len(ips)-3000)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := blackholes(t, p); got != 0 {
		t.Errorf("%d routes left behind", got)
	}
	p.start(t, backend.Spec{}) // the port is free again
}

func TestOffRefuses(t *testing.T) {
	p := newPair(t)
	b := p.start(t, backend.Spec{})
	for _, ip := range []string{"192.0.2.2", "fd00::1"} { // a device has the first one
		if err := b.Off(t.Context(), netip.MustParseAddr(ip)); err == nil {
			t.Errorf("Off(%s): no error", ip)
		}
	}
	if err := b.On(t.Context(), netip.MustParseAddr("192.0.2.2")); err != nil {
		t.Errorf("On of an address that was never off: %v", err)
	}
	if from, err := p.ask("192.0.2.2:8080"); err != nil {
		t.Errorf("the device's address lost its route: %s, %v", from, err)
	}
}

func TestPortInUse(t *testing.T) {
	p := newPair(t)
	p.start(t, backend.Spec{})
	_, err := backend.Start(t.Context(), agenttest.Launcher{backend.Name: p.server.Serve(backend.Serve)}, backend.Spec{})
	if err == nil || !strings.Contains(err.Error(), "8080") || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second backend on the same port: %v", err)
	}
}

func TestRunnerLearnsOfTheEnd(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	b, err := backend.Start(ctx, agenttest.Launcher{backend.Name: p.server.Serve(backend.Serve)}, backend.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("trial over")
	cancel(why)
	<-b.Gone()
	if !errors.Is(b.Err(), why) {
		t.Errorf("Err = %v, want %v", b.Err(), why)
	}
	if err := b.Off(t.Context(), netip.MustParseAddr("10.244.0.1")); err == nil {
		t.Error("Off after the end: no error")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func thousands(n int) []netip.Addr {
	ips := make([]netip.Addr, 0, n)
	for ip := pods.Addr().Next(); len(ips) < n; ip = ip.Next() {
		ips = append(ips, ip)
	}
	return ips
}

func blackholes(t *testing.T, p pair) int {
	t.Helper()
	var found []netlink.Route
	p.server.Must(func() (err error) {
		found, err = netlink.RouteListFiltered(netlink.FAMILY_V4,
			&netlink.Route{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_BLACKHOLE}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
		return err
	})
	return len(found)
}

func BenchmarkOffOn1000(b *testing.B) {
	p := newPair(b)
	backends := p.start(b, backend.Spec{})
	ips := thousands(1000)
	for b.Loop() {
		if err := backends.Off(b.Context(), ips...); err != nil {
			b.Fatal(err)
		}
		if err := backends.On(b.Context(), ips...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConnections measures what a connection costs client and backend
// together: identity asks, abort hangs up after the handshake.
func BenchmarkConnections(b *testing.B) {
	for _, kind := range []string{"identity", "abort"} {
		b.Run(kind, func(b *testing.B) {
			p := newPair(b)
			p.start(b, backend.Spec{})
			b.ReportAllocs()
			p.client.Must(func() error {
				for i := 0; b.Loop(); i++ {
					addr := fmt.Sprintf("10.244.%d.%d:8080", i>>8&255, i&255)
					c, err := net.Dial("tcp4", addr)
					if err != nil {
						return err
					}
					if err := c.(*net.TCPConn).SetLinger(0); err != nil {
						return err
					}
					if kind == "identity" {
						if _, err := identity.Ask(c); err != nil {
							return err
						}
					}
					c.Close()
				}
				return nil
			})
		})
	}
}
