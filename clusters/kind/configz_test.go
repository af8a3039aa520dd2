package kind

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestDiffers(t *testing.T) {
	running := map[string]any{
		"mode": "nftables", "clusterCIDR": "10.0.0.0/8", "nodePortAddresses": []any{"primary"},
		"nftables": map[string]any{"minSyncPeriod": "1s", "masqueradeBit": float64(14)}, "strictARP": nil,
		"conntrack": map[string]any{"min": float64(131072), "tcpCloseWaitTimeout": "0s"},
	}
	for _, tc := range []struct{ meant, want string }{
		{"mode: nftables\nnodePortAddresses: [primary]", ""},
		{"nftables: {minSyncPeriod: 1s}\nstrictARP: false", ""},
		{"conntrack: {maxPerCore: 0, tcpCloseWaitTimeout: 0s}", ""},
		{"conntrack: {min: 0}", "conntrack.min (131072 instead of 0)"},
		{"mode: iptables", "mode (nftables instead of iptables)"},
		{"nftables: {minSyncPeriod: 10s}", "nftables.minSyncPeriod (1s instead of 10s)"},
		{"conntrack: {maxPerCore: 7}", "conntrack.maxPerCore (<nil> instead of 7)"},
		{"nodePortAddresses: []\nmode: ''", ""}, // the default
	} {
		meant := map[string]any{}
		if err := yaml.Unmarshal([]byte(tc.meant), &meant); err != nil {
			t.Fatal(err)
		}
		if got := differs(meant, running); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.meant, got, tc.want)
		}
	}
}
