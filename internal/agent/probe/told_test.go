package probe_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
)

// What a rule rejects is refused, whenever its message comes: on a link between
// namespaces that is before connect returns.
func TestRefusedByARule(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skipf("cannot make rules: %v", err)
	}
	client, server := agenttest.NewNamespace(t), agenttest.NewNamespace(t)
	agenttest.Connect(client, netip.MustParsePrefix("192.0.2.1/30"), server, netip.MustParsePrefix("192.0.2.2/30"))
	server.Must(func() error {
		cmd := exec.CommandContext(t.Context(), nft, "-f", "-")
		cmd.Stdin = strings.NewReader(`table ip test {
			chain in { type filter hook input priority 0; meta l4proto { tcp, udp } th dport 80 reject; meta l4proto { tcp, udp } th dport 81 drop; }
		}`)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
	for _, protocol := range []agent.Protocol{agent.TCP, agent.UDP} {
		for port, want := range map[uint16]string{80: errkind.Refused, 81: errkind.Timeout} {
			t.Run(fmt.Sprintf("%s/%d", protocol, port), func(t *testing.T) {
				var got probe.Outcome
				timeout := probe.MaxTimeout // the machine may be busy
				if want == errkind.Timeout {
					timeout = 100 * time.Millisecond
				}
				client.Must(func() error {
					l := newLoop(t, 1)
					err := l.Add(&probe.Target{
						Addr:     netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port),
						Protocol: protocol, Interval: time.Hour, Timeout: timeout, Overlap: 1,
						Done: func(o probe.Outcome) { got = o; l.Stop() },
					})
					if err != nil {
						return err
					}
					return l.Run(t.Context())
				})
				if got.Failure != want {
					t.Errorf("got %+v, want failure %q", got, want)
				}
			})
		}
	}
}
