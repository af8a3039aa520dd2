package modes

import (
	"fmt"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-proxy/config/v1alpha1"
	"sigs.k8s.io/yaml"

	"svcbench/scenarios"
)

// Settings are what kube-proxy is told, alike in every mode.
type Settings struct {
	// Kubeconfig is the path of the file that leads to the API server.
	Kubeconfig string
	// Node is the name of the Node object.
	Node string
	// Pods is the range of pod IPs. Traffic from inside it is not
	// masqueraded.
	Pods     netip.Prefix
	Settings scenarios.Settings
}

// The addresses of kube-proxy's own servers inside the node's namespace, its
// defaults.
const (
	// MetricsAddress is where it answers "GET /metrics".
	MetricsAddress = "127.0.0.1:10249"
	healthzAddress = "127.0.0.1:10256"
)

// configure returns a KubeProxyConfiguration for the mode. Every setting that
// has other defaults in other modes is set here, so that the modes differ in
// nothing but the mode.
func configure(mode scenarios.Mode, s Settings) ([]byte, error) {
	shortest, longest := periods(mode, s.Settings)
	config := v1alpha1.KubeProxyConfiguration{
		TypeMeta:           metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		Mode:               v1alpha1.ProxyMode(mode),
		HostnameOverride:   s.Node,
		BindAddress:        "0.0.0.0",
		MetricsBindAddress: MetricsAddress,
		HealthzBindAddress: healthzAddress,
		ClusterCIDR:        s.Pods.String(),
		DetectLocalMode:    "ClusterCIDR",
		// nftables defaults to "primary", the others to every address.
		NodePortAddresses: []string{"primary"},
		// The limit of connection tracking belongs to the machine: it cannot
		// be, and must not be, written from a network namespace.
		Conntrack: v1alpha1.KubeProxyConntrackConfiguration{
			MaxPerCore:            new(int32),
			Min:                   new(int32),
			TCPEstablishedTimeout: &metav1.Duration{},
			TCPCloseWaitTimeout:   &metav1.Duration{},
		},
		IPTables: v1alpha1.KubeProxyIPTablesConfiguration{SyncPeriod: longest, MinSyncPeriod: shortest},
		IPVS:     v1alpha1.KubeProxyIPVSConfiguration{SyncPeriod: longest, MinSyncPeriod: shortest},
		NFTables: v1alpha1.KubeProxyNFTablesConfiguration{SyncPeriod: longest, MinSyncPeriod: shortest},
	}
	config.ClientConnection.Kubeconfig = s.Kubeconfig
	config.ClientConnection.ContentType = "application/vnd.kubernetes.protobuf"
	text, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write configuration of kube-proxy for mode %s: %w", mode, err)
	}
	return text, nil
}

// periods returns the shortest and longest time between syncs.
func periods(mode scenarios.Mode, s scenarios.Settings) (shortest, longest metav1.Duration) {
	// The default of a configuration file (v1alpha1/defaults.go); by flags it
	// would be the same in every mode.
	def := time.Second
	if mode == scenarios.IPVS {
		def = 0
	}
	shortest.Duration, longest.Duration = s.Window(def), scenarios.DefaultSyncPeriod.Std()
	if s.Proxy.SyncPeriod != nil {
		longest.Duration = s.Proxy.SyncPeriod.Std()
	}
	if shortest.Duration == 0 {
		// kube-proxy reads 0 as "not set" and takes 1s in some modes.
		shortest.Duration = time.Nanosecond
	}
	return shortest, longest
}
