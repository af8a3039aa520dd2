package kind

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"svcbench/scenarios"
)

// The ranges of addresses, those of local clusters: what is measured is the same.
var (
	// clusterRange is what kube-proxy takes for pods: the lower half are the
	// pods behind Services, the upper half has the real ones.
	clusterRange = netip.MustParsePrefix("10.128.0.0/11")
	podRange     = netip.MustParsePrefix("10.128.0.0/12")
	realPods     = netip.MustParsePrefix("10.144.0.0/16") // Cilium takes addresses of it
	nodePods     = netip.MustParsePrefix("10.145.0.0/16") // of those that really run
	serviceRange = netip.MustParsePrefix("10.96.0.0/12")
)

// definition is the kind cluster of a trial.
//
// kube-proxy is left out at first and deployed by kubeadm when a trial starts
// it, with what is said of it here. CoreDNS is left out for good: nothing asks
// it, and a node that could not pull it would try all the time. Instead of
// kind's network daemon the nodes get the same plugins and routes from svcbench
// (see network.go), so that they are the same with every image and nothing but
// the proxy under test has rules.
func definition(mode scenarios.Mode, proxyConfig string, workers int) (*v1alpha4.Cluster, error) {
	kubeProxy := v1alpha4.ProxyMode(mode)
	var patches []string
	if mode == scenarios.EBPF {
		kubeProxy = "none"
	} else {
		patches = append(patches, proxyConfig)
	}
	for _, p := range []map[string]any{
		{
			"kind":       "InitConfiguration",
			"skipPhases": []string{"preflight", phaseCoreDNS, phaseProxy},
			"timeouts":   waits(),
		},
		{"kind": "JoinConfiguration", "timeouts": waits()},
		{
			// What is written is gone with the cluster: etcd need not wait for
			// the disk, as it does not in local clusters.
			"kind": "ClusterConfiguration",
			"etcd": map[string]any{"local": map[string]any{"extraArgs": []map[string]string{{"name": "unsafe-no-fsync", "value": "true"}}}},
		},
		{
			"kind": "KubeletConfiguration",
			// It refuses cgroup v1 otherwise, which some machines still have.
			"failCgroupV1": false,
		},
	} {
		text, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("write patch for kubeadm: %w", err)
		}
		patches = append(patches, string(text))
	}
	c := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Networking: v1alpha4.Networking{
			KubeProxyMode: kubeProxy, DisableDefaultCNI: true,
			PodSubnet: realPods.String(), ServiceSubnet: serviceRange.String(),
		},
		KubeadmConfigPatches: patches,
		// Without CAP_SYS_RESOURCE, which not every machine grants, nobody may
		// lower that.
		ContainerdConfigPatches: []string{"[plugins.\"io.containerd.grpc.v1.cri\"]\n  restrict_oom_score_adj = true\n"},
		Nodes:                   []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}},
	}
	for range workers {
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole})
	}
	return c, nil
}

// waits is how long kubeadm waits for anything. Its own defaults are for machines
// that do nothing else; a node in a virtual machine without KVM takes minutes.
func waits() map[string]string {
	all := map[string]string{}
	for _, of := range []string{"controlPlaneComponentHealthCheck", "kubeletHealthCheck", "kubernetesAPICall", "etcdAPICall", "tlsBootstrap", "discovery"} {
		all[of] = "10m0s"
	}
	return all
}

// The phases of "kubeadm init" that it is told to skip.
const (
	phaseCoreDNS = "addon/coredns"
	phaseProxy   = "addon/kube-proxy"
)
