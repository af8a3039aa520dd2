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
	const waits, at = "a sync waits at least 1s after", "a sync does not wait"
	for _, test := range []struct {
		batching               scenarios.Batching
		iptables, ipvs, cilium time.Duration
		notes                  [3]string // of the same modes
	}{
		{scenarios.BatchingEqual, time.Second, time.Second, time.Second, [3]string{waits, waits, "every 1s"}},
		{scenarios.BatchingDefaults, time.Second, time.Nanosecond, 500 * time.Millisecond, [3]string{waits, at, "every 500ms"}},
		{scenarios.BatchingNone, time.Nanosecond, time.Nanosecond, time.Millisecond, [3]string{at, at, "every 1ms"}},
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
			// And readers are told.
			for i, m := range []Mode{iptables{}, ipvs{}, ebpf{}} {
				notes := strings.Join(m.Notes(s.Settings), "\n")
				for _, want := range []string{"Batching " + string(test.batching) + ": ", test.notes[i]} {
					if !strings.Contains(notes, want) {
						t.Errorf("%s: no %q in the notes\n%s", m.Name(), want, notes)
					}
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
	s := Settings{Kubeconfig: "/w/kubeconfig", Node: "n", ClientLink: "client", BackendLink: "backend", Dir: "/w/proxy", Cgroup: "/cg/x"}
	args := strings.Join(append(CiliumFlags(s), ciliumPlaces(s)...), "\n")
	for _, want := range []string{
		"--k8s-kubeconfig-path=/w/kubeconfig", "--kube-proxy-replacement=true", "--devices=client,backend",
		"--bpf-lb-map-max=65536", "--cgroup-root=/w/proxy/cgroup", "--bpf-root=/w/proxy/bpf", "--state-dir=/w/proxy/state",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("no %s in\n%s", want, args)
		}
	}
}
