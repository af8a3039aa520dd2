package modes

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// ipvs is kube-proxy's IPVS mode: a new connection's Service is looked up in
// the hash table of the kernel's virtual servers.
type ipvs struct{ kubeproxy }

func (ipvs) Name() scenarios.Mode { return scenarios.IPVS }

// ipvsTrial are the ways to try what kube-proxy needs of the kernel, and what
// it means when the kernel refuses. The addresses are for documentation
// (RFC 5737).
var ipvsTrial = []struct {
	command []string
	refused string
}{
	{[]string{"ipvsadm", "--add-service", "--tcp-service", "198.51.100.1:80", "--scheduler", "rr"}, "the kernel makes no IPVS virtual servers (it needs the modules ip_vs and ip_vs_rr)"},
	{[]string{"ipvsadm", "--delete-service", "--tcp-service", "198.51.100.1:80"}, "the kernel deletes no IPVS virtual servers"},
	// kube-proxy puts every cluster IP on a link of this kind.
	{[]string{"ip", "link", "add", "svcbench-trial", "type", "dummy"}, "the kernel makes no dummy links"},
	{[]string{"ip", "link", "delete", "svcbench-trial"}, "the kernel deletes no dummy links"},
	{[]string{"ipset", "create", "svcbench-trial", "hash:ip,port"}, "the kernel makes no IP sets"},
	{[]string{"ipset", "destroy", "svcbench-trial"}, "the kernel destroys no IP sets"},
}

func (ipvs) Probe(ctx context.Context, n Node) (clusters.Answer, string) {
	for _, try := range ipvsTrial {
		if _, err := n.Run(ctx, nil, try.command[0], try.command[1:]...); err != nil {
			return refusal(err, try.refused)
		}
	}
	// The rules beside the virtual servers are those of iptables.
	return iptables{}.Probe(ctx, n)
}

func (ipvs) Program(_ context.Context, _ Node, s Settings) (Program, error) {
	return program(scenarios.IPVS, s)
}

// ipvsDeprecated is what users of the mode must know before anything else.
const ipvsDeprecated = "IPVS is deprecated since Kubernetes 1.35, off by default in 1.40, and gone in 1.43."

func (ipvs) Advice() string { return ipvsDeprecated }

func (ipvs) Notes(s scenarios.Settings) []string {
	return []string{
		ipvsDeprecated,
		kubeProxyBatching(scenarios.IPVS, s),
		"Scheduler " + s.IPVS.Scheduler + ", strictARP " + strconv.FormatBool(s.IPVS.StrictARP) + ".",
		"A Service is looked up in a hash table: no Service comes before another. The position classes then follow the order of cluster IPs and should not differ.",
		"Every sync is a full one, at least one every 30 s.",
	}
}

func (ipvs) Rules(ctx context.Context, n Node) (clusters.Rules, error) {
	out, err := n.Run(ctx, nil, "ipvsadm", "-Ln")
	if err != nil {
		return clusters.Rules{}, fmt.Errorf("read IPVS rules: %w", err)
	}
	return parseIPVS(out), nil
}

// parseIPVS counts virtual servers (as "count") and real servers (as
// "elements") in the output of "ipvsadm -Ln".
func parseIPVS(listed []byte) clusters.Rules {
	r := clusters.Rules{Counts: map[string]int64{"count": 0, "elements": 0}, Listing: listed, Tool: "ipvsadm"}
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
