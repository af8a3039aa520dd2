package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/verify"
)

var launcher = agenttest.Launcher{verify.Name: verify.Serve}

func pod(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 244, byte(i >> 8), byte(i)})
}

// random answers as one of n pods.
func random(n int) func() netip.AddrPort {
	return func() netip.AddrPort { return netip.AddrPortFrom(pod(rand.IntN(n)), 8080) }
}

func pods(n int) []netip.Addr {
	ips := make([]netip.Addr, n)
	for i := range ips {
		ips[i] = pod(i)
	}
	return ips
}

func TestConverges(t *testing.T) {
	// A Service that comes to life late and first leads to a wrong pod.
	var asked atomic.Int64
	late := func() netip.AddrPort {
		switch n := asked.Add(1); {
		case n <= 2:
			return netip.AddrPort{}
		case n <= 4:
			return netip.AddrPortFrom(pod(999), 8080)
		}
		return netip.AddrPortFrom(pod(0), 8080)
	}
	result, err := verify.Run(t.Context(), launcher, verify.Spec{
		Targets: []verify.Target{
			{ID: "ten", Addr: agenttest.Service(t, random(10)), Want: pods(10)},
			{ID: "thousand", Addr: agenttest.Service(t, random(1000)), Want: pods(1000)},
			{ID: "late", Addr: agenttest.Service(t, late), Want: pods(1)},
			{ID: "gone", Addr: agenttest.NoService(t)},
		},
		AttemptTimeout: 50 * time.Millisecond,
		Sample:         20,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Converged() || result.Reason() != "" {
		t.Fatalf("not converged: %s", result.Reason())
	}
	for i, needed := range []int{10, 20, 1, 3} {
		r := result.Targets[i]
		if r.Needed != needed || r.Seen < needed || r.Attempts < int64(needed) {
			t.Errorf("%v: needed %d, want %d", r, r.Needed, needed)
		}
		if !(result.Start <= r.FirstOK && r.FirstOK <= r.Complete && r.Complete <= result.End) {
			t.Errorf("%v: times out of order: %+v", r, r)
		}
	}
	if got := result.Targets[2].Wrong[pod(999)]; got != 2 {
		t.Errorf("late: %d wrong answers, want 2", got)
	}
	if got := result.Targets[3].Errors[errkind.Refused]; got < 3 {
		t.Errorf("gone: %d refused, want 3", got)
	}
}

func TestDoesNotConverge(t *testing.T) {
	alive := agenttest.Service(t, random(2))
	spec := verify.Spec{
		Targets: []verify.Target{
			{ID: "good", Addr: alive, Want: pods(2)},
			{ID: "short", Addr: alive, Want: pods(3)},
			{ID: "alive", Addr: alive},
			{ID: "refused", Addr: agenttest.NoService(t), Want: pods(1)},
			{ID: "fourth", Addr: alive, Want: []netip.Addr{pod(7)}},
		},
		Timeout: 200 * time.Millisecond,
	}
	result, err := verify.Run(t.Context(), launcher, spec)
	if err != nil {
		t.Fatal(err)
	}
	if result.Converged() {
		t.Fatal("converged")
	}
	for _, want := range []string{"4 of 5 targets", "short (", "2 of 3 in", "alive (", "wrongly by 10.244.0.", "refused (", errkind.Refused, "and 1 more"} {
		if !strings.Contains(result.Reason(), want) {
			t.Errorf("reason lacks %q: %s", want, result.Reason())
		}
	}
	if strings.Contains(result.Reason(), "good") {
		t.Errorf("reason names a good target: %s", result.Reason())
	}
}

func TestThroughNamespaces(t *testing.T) {
	for _, protocol := range []agent.Protocol{agent.TCP, agent.UDP} {
		t.Run(string(protocol), func(t *testing.T) { testThroughNamespaces(t, protocol) })
	}
}

func testThroughNamespaces(t *testing.T, protocol agent.Protocol) {
	client, server := agenttest.NewNamespace(t), agenttest.NewNamespace(t)
	agenttest.Connect(client, netip.MustParsePrefix("192.0.2.1/30"), server, netip.MustParsePrefix("192.0.2.2/30"))
	server.AnyIP(netip.MustParsePrefix("10.244.0.0/16"))
	l := agenttest.Launcher{verify.Name: client.Serve(verify.Serve), backend.Name: server.Serve(backend.Serve)}
	b, err := backend.Start(t.Context(), l, backend.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	spec := verify.Spec{Protocol: protocol}
	for i := range 200 {
		target := verify.Target{ID: fmt.Sprint(i), Addr: netip.AddrPortFrom(pod(i), 8080)}
		if i%10 == 0 {
			if err := b.Off(t.Context(), pod(i)); err != nil {
				t.Fatal(err)
			}
		} else {
			target.Want = []netip.Addr{pod(i)}
		}
		spec.Targets = append(spec.Targets, target)
	}
	result, err := verify.Run(t.Context(), l, spec)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Converged() {
		t.Error(result.Reason())
	}
	if got := result.Targets[10].Errors[errkind.Timeout]; got < 3 {
		t.Errorf("pod that is off: %d time-outs, want 3", got)
	}
}

func TestRunFails(t *testing.T) {
	for name, spec := range map[string]verify.Spec{
		"IPv6":     {Targets: []verify.Target{{ID: "bad", Addr: netip.MustParseAddrPort("[::1]:80")}}},
		"repeated": {AttemptTimeout: time.Second},
		"negative": {Timeout: -1},
		"protocol": {Protocol: "SCTP"},
		"attempts": {Targets: []verify.Target{{ID: "bad", Addr: netip.MustParseAddrPort("10.0.0.1:80"), Attempts: -1}}},
	} {
		if _, err := verify.Run(t.Context(), launcher, spec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if result, err := verify.Run(t.Context(), launcher, verify.Spec{}); err != nil || !result.Converged() {
		t.Errorf("no targets: %+v, %v", result, err)
	}
	why := errors.New("trial over")
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := verify.Spec{Targets: []verify.Target{{ID: "busy", Addr: agenttest.Service(t, func() netip.AddrPort {
		cancel(why)
		return netip.AddrPort{}
	})}}}
	if _, err := verify.Run(ctx, launcher, spec); !errors.Is(err, why) {
		t.Errorf("cancelled: %v, want %v", err, why)
	}
}
