package modes

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// iptables is kube-proxy's iptables mode: a new connection is compared with
// the rules of all Services, one after the other.
type iptables struct{ kubeproxy }

func (iptables) Name() scenarios.Mode { return scenarios.IPTables }

// iptablesTrial are rules with everything that kube-proxy's rules are made of.
const iptablesTrial = `*nat
:SVCBENCH-TRIAL - [0:0]
:SVCBENCH-POD - [0:0]
-A SVCBENCH-TRIAL -d 198.51.100.1/32 -p tcp -m comment --comment "a Service" -m tcp --dport 80 -j SVCBENCH-POD
-A SVCBENCH-TRIAL -m addrtype --dst-type LOCAL -j RETURN
-A SVCBENCH-POD -m statistic --mode random --probability 0.5 -p tcp -m tcp -j DNAT --to-destination 198.51.100.2:8080
-A SVCBENCH-POD -m mark ! --mark 0x4000/0x4000 -j RETURN
-A SVCBENCH-POD -j MARK --xor-mark 0x4000
-A SVCBENCH-POD -j MASQUERADE --random-fully
COMMIT
*filter
:SVCBENCH-TRIAL - [0:0]
-A SVCBENCH-TRIAL -m conntrack --ctstate INVALID -j DROP
-A SVCBENCH-TRIAL -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A SVCBENCH-TRIAL -p tcp -j REJECT
COMMIT
`

func (iptables) Probe(ctx context.Context, n Node) (clusters.Answer, string) {
	if _, err := n.Run(ctx, []byte(iptablesTrial), "iptables-restore", "--noflush"); err != nil {
		return refusal(err, "rules like those of kube-proxy could not be loaded")
	}
	if _, err := n.Run(ctx, nil, "iptables-save"); err != nil {
		return refusal(err, "rules could not be read back")
	}
	return clusters.Yes, ""
}

func (iptables) Program(_ context.Context, _ Node, s Settings) (Program, error) {
	return program(scenarios.IPTables, s)
}

func (iptables) Notes(s scenarios.Settings) []string {
	return []string{
		kubeProxyBatching(scenarios.IPTables, s),
		"Rules are compared one after the other; a Service's position is its place in the chain KUBE-SERVICES.",
		"Above 1,000 endpoints kube-proxy writes no comments and leaves out periodic full syncs (large-cluster mode).",
	}
}

func (iptables) Rules(ctx context.Context, n Node) (clusters.Rules, error) {
	out, err := n.Run(ctx, nil, "iptables-save")
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read iptables rules: %w", err)
	}
	rules, err := parseIPTables(out)
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read iptables rules: %w", err)
	}
	return rules, nil
}

// parseIPTables counts the rules and chains in the output of iptables-save,
// and reads the order of Services from the chain through which every new
// connection goes. A Service with several ports has the place of its first.
func parseIPTables(saved []byte) (clusters.Rules, error) {
	r := clusters.Rules{Counts: map[string]int64{"count": 0, "chains": 0}}
	seen := map[netip.Addr]bool{}
	for line := range bytes.Lines(saved) {
		switch {
		case bytes.HasPrefix(line, []byte("-A ")):
			r.Counts["count"]++
		case bytes.HasPrefix(line, []byte(":")):
			r.Counts["chains"]++
		}
		address, ok := strings.CutPrefix(string(line), "-A KUBE-SERVICES -d ")
		if !ok {
			continue
		}
		address, _, _ = strings.Cut(address, " ")
		prefix, err := netip.ParsePrefix(address)
		if err != nil {
			return clusters.Rules{}, fmt.Errorf("rule %q: %w", bytes.TrimSpace(line), err)
		}
		if ip := prefix.Addr(); !seen[ip] {
			seen[ip] = true
			r.Order = append(r.Order, ip)
		}
	}
	return r, nil
}
