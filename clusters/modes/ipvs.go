package modes

import (
	"bytes"
	"context"
	"fmt"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// ipvs is kube-proxy's IPVS mode: a new connection's Service is looked up in
// the hash table of the kernel's virtual servers.
type ipvs struct{}

func (ipvs) Name() scenarios.Mode { return scenarios.IPVS }

// virtualServers is where the kernel lists virtual and real servers.
const virtualServers = "/proc/net/ip_vs"

func (ipvs) Probe(ctx context.Context, n Node) (clusters.Answer, string) {
	// kube-proxy puts every cluster IP on a link of this kind.
	if _, err := n.Run(ctx, nil, "ip", "link", "add", "svcbench-trial", "type", "dummy"); err != nil {
		return refusal(err, "the kernel makes no dummy links")
	}
	if _, err := n.Run(ctx, nil, "ip", "link", "delete", "svcbench-trial"); err != nil {
		return refusal(err, "the kernel deletes no dummy links")
	}
	if _, err := n.Run(ctx, nil, "cat", virtualServers); err != nil {
		return refusal(err, "the kernel has no IPVS, or its module ip_vs is not loaded (modprobe ip_vs)")
	}
	if _, err := n.Run(ctx, nil, "ipset", "create", "svcbench-trial", "hash:ip,port"); err != nil {
		return refusal(err, "the kernel makes no IP sets")
	}
	if _, err := n.Run(ctx, nil, "ipset", "destroy", "svcbench-trial"); err != nil {
		return refusal(err, "the kernel destroys no IP sets")
	}
	return clusters.Yes, ""
}

func (ipvs) Configure(s Settings) ([]byte, error) { return configure(scenarios.IPVS, s) }

func (ipvs) Notes() []string {
	return []string{
		"Deprecated since Kubernetes 1.35, off by default in 1.40, removed in 1.43.",
		"A Service is looked up in a hash table: no Service comes before another. The position classes then follow the order of cluster IPs and should not differ.",
		"Every sync is a full one, at least one every 30 s.",
	}
}

func (ipvs) Rules(ctx context.Context, n Node) (clusters.Rules, error) {
	out, err := n.Run(ctx, nil, "cat", virtualServers)
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read IPVS rules: %w", err)
	}
	return parseIPVS(out), nil
}

// parseIPVS counts virtual servers (as "count") and real servers (as
// "elements") in the text of /proc/net/ip_vs (ip_vs_ctl.c, ip_vs_info_seq_show).
func parseIPVS(listed []byte) clusters.Rules {
	r := clusters.Rules{Counts: map[string]int64{"count": 0, "elements": 0}}
	for line := range bytes.Lines(listed) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch string(fields[0]) {
		case "TCP", "UDP", "SCTP", "FWM":
			r.Counts["count"]++
		case "->":
			if !bytes.HasPrefix(fields[1], []byte("RemoteAddress")) { // the heading
				r.Counts["elements"]++
			}
		}
	}
	return r
}
