package modes

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-proxy/config/v1alpha1"
	"sigs.k8s.io/yaml"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// kubeproxy is what the modes of kube-proxy have in common.
type kubeproxy struct{}

func (kubeproxy) Advice() string { return "" }

func (kubeproxy) Binary() string { return "kube-proxy" }

// Fits: kube-proxy has no limit but time and memory.
func (kubeproxy) Fits(clusters.Size) error { return nil }

// The addresses of kube-proxy's own servers inside the node's namespace, its
// defaults.
const (
	metricsAddress = "127.0.0.1:10249"
	healthzAddress = "127.0.0.1:10256"
)

// configFile is the name of kube-proxy's configuration.
const configFile = "kube-proxy.yaml"

// program runs kube-proxy in a mode.
func program(mode scenarios.Mode, s Settings) (Program, error) {
	config, err := configure(mode, s)
	if err != nil {
		return Program{}, err
	}
	return Program{
		Args:    []string{"--config=" + filepath.Join(s.Dir, configFile), "--v=" + strconv.Itoa(s.Proxy.Verbosity)},
		Files:   map[string][]byte{configFile: config},
		Config:  string(config),
		Metrics: metricsAddress,
	}, nil
}

// syncMetric is kube-proxy's histogram of how long it took to program its
// rules. It is the only one of its metrics that compares across its modes.
const syncMetric = "kubeproxy_sync_proxy_rules_duration_seconds"

// programmingMetric is its histogram of the time from the annotation of an
// EndpointSlice that says why it was written to the end of the sync.
const programmingMetric = "kubeproxy_network_programming_duration_seconds"

// Syncs adds up the metrics of IPv4: the proxy for IPv6 has nothing to do.
// kube-proxy shows them only after a first sync.
func (kubeproxy) Syncs(metrics map[string]*dto.MetricFamily) clusters.Syncs {
	four := func(labels map[string]string) bool { return labels["ip_family"] != "IPv6" }
	s := sum(metrics[syncMetric], four)
	s.Programming = buckets(metrics[programmingMetric], four)
	return s
}

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
		MetricsBindAddress: metricsAddress,
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
		IPVS: v1alpha1.KubeProxyIPVSConfiguration{
			SyncPeriod: longest, MinSyncPeriod: shortest, Scheduler: s.IPVS.Scheduler, StrictARP: s.IPVS.StrictARP,
		},
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
