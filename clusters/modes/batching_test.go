package modes

import (
	"strings"
	"testing"
	"time"

	"k8s.io/kube-proxy/config/v1alpha1"
	"sigs.k8s.io/yaml"

	"svcbench/scenarios"
)

// Every kind of batching reaches every mode.
func TestBatching(t *testing.T) {
	second := scenarios.Duration(time.Second)
	for _, test := range []struct {
		batching               scenarios.Batching
		iptables, ipvs, cilium time.Duration
	}{
		{scenarios.BatchingEqual, time.Second, time.Second, time.Second},
		{scenarios.BatchingDefaults, time.Second, time.Nanosecond, 500 * time.Millisecond},
		{scenarios.BatchingNone, time.Nanosecond, time.Nanosecond, time.Millisecond},
	} {
		t.Run(string(test.batching), func(t *testing.T) {
			s := Settings{Settings: scenarios.Settings{Batching: test.batching, Proxy: scenarios.Proxy{MinSyncPeriod: &second}}}
			for mode, want := range map[scenarios.Mode]time.Duration{scenarios.IPTables: test.iptables, scenarios.NFTables: test.iptables, scenarios.IPVS: test.ipvs} {
				text, err := configure(mode, s)
				if err != nil {
					t.Fatal(err)
				}
				var c v1alpha1.KubeProxyConfiguration
				if err := yaml.UnmarshalStrict(text, &c); err != nil {
					t.Fatal(err)
				}
				if got := c.IPTables.MinSyncPeriod.Duration; got != want {
					t.Errorf("%s: minSyncPeriod %v, want %v", mode, got, want)
				}
			}
			if got := reflectorWait(s); got != test.cilium {
				t.Errorf("ebpf: reflector wait %v, want %v", got, test.cilium)
			}
		})
	}
}

// The agent is told everything that svcbench relies on.
func TestCiliumFlags(t *testing.T) {
	args := strings.Join(ciliumFlags(Settings{
		Kubeconfig: "/w/kubeconfig", Node: "n", ClientLink: "client", BackendLink: "backend", Dir: "/w/proxy", Cgroup: "/cg/x",
	}), "\n")
	for _, want := range []string{
		"--k8s-kubeconfig-path=/w/kubeconfig", "--kube-proxy-replacement=true", "--devices=client,backend",
		"--bpf-lb-map-max=65536", "--cgroup-root=/cg/x", "--bpf-root=/w/proxy/bpffs", "--state-dir=/w/proxy/state",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("no %s in\n%s", want, args)
		}
	}
}
