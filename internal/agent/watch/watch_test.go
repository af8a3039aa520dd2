package watch_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/watch"
)

var (
	service = netip.MustParseAddrPort("10.96.0.10:80")
	oldPod  = netip.MustParseAddr("10.244.0.1")
	newPod  = netip.MustParseAddr("10.244.0.2")
)

func start(t *testing.T, serve agenttest.Serve) *watch.Watcher {
	t.Helper()
	w, err := watch.Start(t.Context(), agenttest.Launcher{watch.Name: serve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func begin(t *testing.T, w *watch.Watcher, c watch.Command) <-chan watch.Seen {
	t.Helper()
	seen, err := w.Watch(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// node is a client namespace whose own rules lead the Service to pods in
// another namespace.
type node struct{ client *agenttest.Namespace }

func newNode(t *testing.T) node {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skipf("cannot make rules: %v", err)
	}
	n := node{agenttest.NewNamespace(t)}
	pods := agenttest.NewNamespace(t)
	agenttest.Connect(n.client, netip.MustParsePrefix("192.0.2.1/30"), pods, netip.MustParsePrefix("192.0.2.2/30"))
	pods.AnyIP(netip.MustParsePrefix("10.244.0.0/16"))
	b, err := backend.Start(t.Context(), agenttest.Launcher{backend.Name: pods.Serve(backend.Serve)}, backend.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	n.rules(t, "add chain ip test output { type nat hook output priority -100; }")
	return n
}

// rules changes the rules in one transaction.
func (n node) rules(t *testing.T, text string) {
	t.Helper()
	n.client.Must(func() error {
		cmd := exec.CommandContext(t.Context(), "nft", "-f", "-")
		cmd.Stdin = strings.NewReader("add table ip test\n" + text)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// lead makes the Service lead to pod.
func (n node) lead(t *testing.T, pod netip.Addr) {
	t.Helper()
	n.rules(t, fmt.Sprintf("flush chain ip test output\nadd rule ip test output ip daddr %v meta l4proto { tcp, udp } th dport %d dnat to %v:%d",
		service.Addr(), service.Port(), pod, backend.DefaultPort))
}

func TestReplacedBehindRealRules(t *testing.T) {
	for _, protocol := range []agent.Protocol{agent.TCP, agent.UDP} {
		t.Run(string(protocol), func(t *testing.T) { testReplaced(t, protocol) })
	}
}

func testReplaced(t *testing.T, protocol agent.Protocol) {
	n := newNode(t)
	n.lead(t, oldPod)
	w := start(t, n.client.Serve(watch.Serve))
	const settle = 30 * time.Millisecond
	seen := begin(t, w, watch.Command{ID: 7, Addr: service, Protocol: protocol, New: []netip.Addr{newPod}, Old: []netip.Addr{oldPod}, Settle: settle})
	before := agent.Now()
	n.lead(t, newPod)
	after := agent.Now()
	s, ok := <-seen
	if !ok {
		t.Fatalf("no result: %v", w.Err())
	}
	if s.ID != 7 || s.Probes == 0 || len(s.Errors) != 0 {
		t.Errorf("seen = %+v", s)
	}
	if s.FirstNew < before {
		t.Errorf("a new endpoint answered at %d, before the change at %d", s.FirstNew, before)
	}
	if s.LastOld == 0 || s.LastOld > after {
		t.Errorf("an old endpoint answered at %d, after the change at %d", s.LastOld, after)
	}
	if want := max(s.FirstNew, s.LastOld) + settle.Nanoseconds(); s.OldSettled != want || s.GaveUp < want {
		t.Errorf("OldSettled = %d, GaveUp = %d, want %d", s.OldSettled, s.GaveUp, want)
	}
	if _, more := <-seen; more {
		t.Error("more than one result")
	}
	if err := errors.Join(w.Close(), w.Close(), w.Err()); err != nil {
		t.Error(err)
	}
}

// pick is a Service's choice that a test can change.
type pick struct{ pod atomic.Pointer[netip.Addr] }

func (p *pick) lead(pod netip.Addr) { p.pod.Store(&pod) }

func (p *pick) choose() netip.AddrPort {
	if pod := p.pod.Load(); pod != nil && pod.IsValid() {
		return netip.AddrPortFrom(*pod, backend.DefaultPort)
	}
	return netip.AddrPort{} // hears nothing
}

func TestAddedAndRemovedTogether(t *testing.T) {
	w := start(t, watch.Serve)
	var coming, going pick
	going.lead(oldPod)
	fast := watch.Command{Settle: 20 * time.Millisecond, AttemptTimeout: 30 * time.Millisecond}
	added, removed := fast, fast
	added.ID, added.Addr, added.New = 1, agenttest.Service(t, coming.choose), []netip.Addr{newPod}
	removed.ID, removed.Addr, removed.Old = 2, agenttest.Service(t, going.choose), []netip.Addr{oldPod}
	seenAdded, seenRemoved := begin(t, w, added), begin(t, w, removed)
	before := agent.Now()
	coming.lead(newPod)
	going.lead(netip.Addr{})
	after := agent.Now()
	// Who asks a little earlier can still be answered by the new state.
	if s := <-seenAdded; s.FirstNew == 0 || s.FirstNew < before-added.AttemptTimeout.Nanoseconds() || s.OldSettled != s.FirstNew || s.LastOld != 0 {
		t.Errorf("added: %+v, change at %d", s, before)
	}
	// Nobody is left to answer, so that it takes longer than connections wait.
	if s := <-seenRemoved; s.LastOld == 0 || s.LastOld > after || s.OldSettled != s.LastOld+2*removed.AttemptTimeout.Nanoseconds() || s.FirstNew != 0 {
		t.Errorf("removed: %+v, change until %d", s, after)
	}
}

func TestChangeThatNeverComesIsCensored(t *testing.T) {
	w := start(t, watch.Serve)
	var p pick
	p.lead(oldPod)
	s := <-begin(t, w, watch.Command{ID: 1, Addr: agenttest.Service(t, p.choose), New: []netip.Addr{newPod}, Old: []netip.Addr{oldPod}, Timeout: 50 * time.Millisecond})
	if s.FirstNew != 0 || s.OldSettled != 0 || s.LastOld == 0 || s.GaveUp < s.LastOld || s.Probes == 0 {
		t.Errorf("seen = %+v, want a censored observation", s)
	}
}

func TestCancel(t *testing.T) {
	w := start(t, watch.Serve)
	var p pick
	p.lead(oldPod)
	c := watch.Command{ID: 1, Addr: agenttest.Service(t, p.choose), New: []netip.Addr{newPod}, Settle: time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	seen, err := w.Watch(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Watch(t.Context(), c); err == nil || !strings.Contains(err.Error(), "another watch has this ID") {
		t.Errorf("second watch of one ID: %v", err)
	}
	cancel()
	if s, ok := <-seen; ok {
		t.Errorf("result of a cancelled watch: %+v", s)
	}
	again := c
	again.ID = 2
	p.lead(newPod)
	if s, ok := <-begin(t, w, again); !ok || s.FirstNew == 0 {
		t.Errorf("watch after a cancelled one: %+v, %v", s, w.Err())
	}
	if _, err := w.Watch(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch after the end of its context = %v", err)
	}
}

func TestEndOfTheAgent(t *testing.T) {
	ctx, kill := context.WithCancelCause(t.Context())
	w, err := watch.Start(ctx, agenttest.Launcher{watch.Name: watch.Serve})
	if err != nil {
		t.Fatal(err)
	}
	var p pick
	p.lead(oldPod)
	c := watch.Command{ID: 1, Addr: agenttest.Service(t, p.choose), New: []netip.Addr{newPod}}
	seen := begin(t, w, c)
	why := errors.New("trial over")
	kill(why)
	if s, ok := <-seen; ok {
		t.Errorf("result of an agent that was killed: %+v", s)
	}
	if !errors.Is(w.Err(), why) {
		t.Errorf("Err = %v, want %v", w.Err(), why)
	}
	c.ID = 2
	if _, err := w.Watch(t.Context(), c); !errors.Is(err, why) {
		t.Errorf("Watch after the end = %v, want %v", err, why)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestRejected(t *testing.T) {
	w := start(t, watch.Serve)
	addr := agenttest.NoService(t)
	for want, c := range map[string]watch.Command{
		"neither new nor old":   {Addr: addr},
		"both a new and an old": {Addr: addr, New: []netip.Addr{newPod}, Old: []netip.Addr{newPod}},
		"must be positive":      {Addr: addr, New: []netip.Addr{newPod}, Settle: -1},
		"time-out 1s":           {Addr: addr, New: []netip.Addr{newPod}, AttemptTimeout: time.Second},
		"not an IPv4 address":   {Addr: netip.MustParseAddrPort("[::1]:80"), New: []netip.Addr{newPod}},
	} {
		if _, err := w.Watch(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Watch = %v, want %q", err, want)
		}
	}
}
