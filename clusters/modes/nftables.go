package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// nftables is kube-proxy's nftables mode: a new connection's Service is looked
// up in a verdict map.
type nftables struct{ kubeproxy }

func (nftables) Name() scenarios.Mode { return scenarios.NFTables }

// nftablesTrial is a table with everything that kube-proxy's is made of.
const nftablesTrial = `
add table ip svcbench-trial
add set ip svcbench-trial cluster-ips { type ipv4_addr ; comment "all" ; }
add map ip svcbench-trial service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }
add chain ip svcbench-trial services
add chain ip svcbench-trial service
add chain ip svcbench-trial pod
add chain ip svcbench-trial nat-prerouting { type nat hook prerouting priority -100 ; }
add chain ip svcbench-trial nat-postrouting { type nat hook postrouting priority 100 ; }
add chain ip svcbench-trial filter-forward { type filter hook forward priority -110 ; }
add rule ip svcbench-trial nat-prerouting jump services
add rule ip svcbench-trial services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ip svcbench-trial services fib daddr type local return
add rule ip svcbench-trial service numgen random mod 2 vmap { 0 : goto pod , 1 : goto pod }
add rule ip svcbench-trial pod meta l4proto tcp dnat to 198.51.100.2:8080
add rule ip svcbench-trial nat-postrouting mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random
add rule ip svcbench-trial filter-forward ct state new reject
add element ip svcbench-trial service-ips { 198.51.100.1 . tcp . 80 : goto service }
`

func (nftables) Probe(ctx context.Context, n Node) (clusters.Answer, string) {
	if _, err := n.Run(ctx, []byte(nftablesTrial), "nft", "-f", "-"); err != nil {
		return refusal(err, "a table like that of kube-proxy could not be loaded")
	}
	if _, err := n.Run(ctx, nil, "nft", "delete", "table", "ip", "svcbench-trial"); err != nil {
		return refusal(err, "a table could not be deleted")
	}
	return clusters.Yes, ""
}

func (nftables) Program(_ context.Context, _ Node, s Settings) (Program, error) {
	return program(scenarios.NFTables, s)
}

func (nftables) Notes(s scenarios.Settings) []string {
	return []string{
		kubeProxyBatching(scenarios.NFTables, s),
		"A Service is looked up in a verdict map: no Service comes before another. The position classes then follow the order of cluster IPs and should not differ.",
	}
}

func (nftables) Rules(ctx context.Context, n Node) (clusters.Rules, error) {
	out, err := n.Run(ctx, nil, "nft", "-j", "list", "table", "ip", "kube-proxy")
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read nftables rules: %w", err)
	}
	rules, err := parseNFTables(out)
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read nftables rules: %w", err)
	}
	return rules, nil
}

// parseNFTables counts the objects in the output of "nft -j list table"
// (libnftables-json(5)): rules, chains, and sets and maps with their elements.
func parseNFTables(listed []byte) (clusters.Rules, error) {
	r := clusters.Rules{Counts: map[string]int64{"count": 0, "chains": 0, "sets": 0, "elements": 0}}
	dec := json.NewDecoder(bytes.NewReader(listed))
	for _, want := range []json.Token{json.Delim('{'), "nftables", json.Delim('[')} {
		if got, err := dec.Token(); err != nil || got != want {
			return clusters.Rules{}, errors.Join(fmt.Errorf("unexpected %v instead of %v", got, want), err)
		}
	}
	for dec.More() {
		var object struct {
			Rule  json.RawMessage
			Chain json.RawMessage
			Set   *elements
			Map   *elements
		}
		if err := dec.Decode(&object); err != nil {
			return clusters.Rules{}, err
		}
		switch {
		case object.Rule != nil:
			r.Counts["count"]++
		case object.Chain != nil:
			r.Counts["chains"]++
		}
		for _, e := range []*elements{object.Set, object.Map} {
			if e != nil {
				r.Counts["sets"]++
				r.Counts["elements"] += int64(len(e.Elem))
			}
		}
	}
	if _, err := dec.Token(); err != nil { // cut short
		return clusters.Rules{}, err
	}
	return r, nil
}

// elements is a set or a map.
type elements struct{ Elem []json.RawMessage }
