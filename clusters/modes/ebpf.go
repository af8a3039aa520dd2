package modes

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"svcbench/clusters"
	"svcbench/internal/components"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// ebpf is the mode of Cilium, which replaces kube-proxy: a new connection's
// Service is looked up in a hash map by a BPF program.
type ebpf struct{}

func (ebpf) Name() scenarios.Mode { return scenarios.EBPF }

func (ebpf) Advice() string { return "" }

func (ebpf) Binary() string { return "cilium-agent" }

// The limits of Cilium v1.20.
const (
	// maxFrontends is how many frontends the agent can number: they have 16
	// bits, and neither the first nor the last number is given away
	// (pkg/loadbalancer/reconciler/id_allocator.go).
	maxFrontends = 1<<16 - 2
	// nodeAddresses is at how many addresses a node port is programmed: those
	// of the node's three links, and the one that stands for all.
	nodeAddresses = 4
	// leastMapEntries is the agent's own default for the size of a map.
	leastMapEntries = 1 << 16
)

// frontends is how many frontends Cilium programs for a population.
func frontends(size clusters.Size) int { return size.ClusterIPs + size.NodePorts*nodeAddresses }

// Fits refuses what Cilium cannot number.
func (ebpf) Fits(size clusters.Size) error {
	n := frontends(size)
	if n <= maxFrontends {
		return nil
	}
	what := fmt.Sprintf("%d cluster IP ports", size.ClusterIPs)
	if size.NodePorts > 0 {
		what += fmt.Sprintf(" and %d node ports at %d addresses", size.NodePorts, nodeAddresses)
	}
	return fmt.Errorf("mode %s: Cilium numbers the frontends of Services with 16 bits, %d at most, and there would be %d (%s)",
		scenarios.EBPF, maxFrontends, n, what)
}

// mapEntries is the size of the agent's maps. The largest has an entry for
// every frontend, one for each of its endpoints, and one that answers for the
// other ports of its address. A quarter is added for endpoints that come
// before others have gone.
func mapEntries(size clusters.Size) int {
	perEndpoint := 1
	if size.NodePorts > 0 {
		perEndpoint += nodeAddresses
	}
	entries := 2*frontends(size) + perEndpoint*size.Endpoints
	return max(leastMapEntries, entries+entries/4)
}

// The folders and files of the agent in Settings.Dir.
const (
	ciliumState   = "state"
	ciliumLibrary = "lib"
	ciliumBPF     = "bpf"
	ciliumCgroup  = "cgroup"
)

// CiliumMetrics is where the agent answers "GET /metrics" at the node.
const CiliumMetrics = "127.0.0.1:9962"

// ciliumWindow is Cilium's own default of how long it gathers changes.
const ciliumWindow = 500 * time.Millisecond

// Program runs the whole cilium-agent as the replacement of kube-proxy.
func (ebpf) Program(ctx context.Context, n Node, s Settings) (Program, error) {
	clang, err := compilerHere(ctx, n)
	if err != nil {
		return Program{}, err
	}
	if err := outsideRun(s); err != nil {
		return Program{}, err
	}
	use := EmptyCgroup
	if s.EBPF.Datapath == scenarios.DatapathSocket {
		use = ClientCgroup
	}
	args := append(CiliumFlags(s), ciliumPlaces(s)...)
	return Program{
		Args: args,
		// It runs clang by that name; the later PATH is the one that counts.
		Env:    []string{"K8S_NODE_NAME=" + s.Node, "PATH=" + filepath.Dir(clang) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Copies: map[string]string{filepath.Join(s.Assets, components.BPF): filepath.Join(ciliumLibrary, "bpf")},
		Mounts: []Mount{
			{Type: "bpf", Source: "bpf", Target: filepath.Join(s.Dir, ciliumBPF)},
			// Its sockets are below /run, whatever it is told.
			{Type: "tmpfs", Source: "tmpfs", Target: "/run"},
			// It must find a mount of its own where it looks for the cgroup:
			// to a folder inside another's it would mount the root of the
			// hierarchy, and translate for every process of the machine.
			{Source: s.Cgroup, Target: filepath.Join(s.Dir, ciliumCgroup)},
			// It sets two sysctls of the whole machine, and shrugs when it
			// may not.
			{Source: "/proc/sys/kernel", Target: "/proc/sys/kernel", ReadOnly: true},
		},
		Cgroup:      use,
		Definitions: CiliumDefinitions(filepath.Join(s.Assets, components.CRDs)),
		Config:      strings.Join(args, "\n") + "\n",
		Metrics:     CiliumMetrics,
	}, nil
}

// compilerHere returns the path of this machine's clang.
func compilerHere(ctx context.Context, n Node) (string, error) {
	clang, err := findClang(ctx, n)
	if cause := context.Cause(ctx); cause != nil {
		return "", cause
	}
	if err != nil {
		return "", failure.New(failure.Environment, err, "`make setup` installs clang 19 where Debian's packages are")
	}
	return clang, nil
}

// outsideRun refuses folders below /run, which the agent could not see: it gets
// a /run of its own.
func outsideRun(s Settings) error {
	for _, f := range []struct{ what, dir, variable string }{
		{"files of the trial", s.Dir, "TMPDIR"},
		{"files of cilium-agent", s.Assets, "XDG_CACHE_HOME"},
	} {
		dir, err := filepath.EvalSymlinks(f.dir)
		if err != nil {
			return fmt.Errorf("find the %s: %w", f.what, err)
		}
		if strings.HasPrefix(dir, "/run/") {
			return failure.New(failure.Environment, fmt.Errorf("%s are in %s, and cilium-agent gets a /run of its own", f.what, f.dir),
				"choose another folder with "+f.variable)
		}
	}
	return nil
}

// CiliumFlags are the flags that say what the agent does, wherever its files are.
// What has to do with neither Services nor packets is off.
func CiliumFlags(s Settings) []string {
	return []string{
		"--kube-proxy-replacement=true",
		"--routing-mode=native", "--ipv4-native-routing-cidr=" + s.Pods.String(), "--enable-ipv6=false",
		"--devices=" + strings.Join([]string{s.ClientLink, s.BackendLink}, ","), "--direct-routing-device=" + s.BackendLink,
		"--ipam=kubernetes", "--identity-allocation-mode=crd",
		"--enable-ipv4-masquerade=false",
		"--enable-policy=never", "--enable-k8s-networkpolicy=false", "--enable-cilium-network-policy=false", "--enable-cilium-clusterwide-network-policy=false",
		"--disable-endpoint-crd=true", "--enable-l7-proxy=false", "--enable-envoy-config=false", "--enable-hubble=false",
		// Its server for debuggers would leave files in the home folder.
		"--enable-gops=false",
		"--enable-health-checking=false", "--enable-endpoint-health-checking=false",
		// What Cilium's Helm chart sets, by which it is installed: the agent's own
		// defaults tell of every packet, and take the memory of full maps.
		"--monitor-aggregation=medium", "--monitor-aggregation-interval=5s", "--monitor-aggregation-flags=all",
		"--preallocate-bpf-maps=false", "--bpf-map-dynamic-size-ratio=0.0025",
		// As kube-proxy does, cluster IPs also answer to packets from outside
		// the node.
		"--bpf-lb-external-clusterip=true",
		fmt.Sprintf("--bpf-lb-map-max=%d", mapEntries(s.Size)),
		"--lb-reflector-wait-time=" + reflectorWait(s).String(),
		"--bpf-lb-sock-hostns-only=false",
		"--prometheus-serve-addr=" + CiliumMetrics,
		"--metrics=+" + ciliumSyncs + " +" + ciliumErrors,
	}
}

// ciliumPlaces are the flags that say where the agent's files are.
func ciliumPlaces(s Settings) []string {
	in := func(name string) string { return filepath.Join(s.Dir, name) }
	return []string{
		"--k8s-kubeconfig-path=" + s.Kubeconfig, "--cgroup-root=" + in(ciliumCgroup),
		"--lib-dir=" + in(ciliumLibrary), "--state-dir=" + in(ciliumState), "--bpf-root=" + in(ciliumBPF),
	}
}

// CiliumDefinitions are the custom resources for which the agent waits when it
// is run with these flags (pkg/k8s/synced/crd.go). Each makes the API server
// work for seconds, on the processors that are measured.
func CiliumDefinitions(folder string) []string {
	return []string{
		filepath.Join(folder, "v2", "ciliumidentities.yaml"),
		filepath.Join(folder, "v2", "ciliumnodes.yaml"),
		filepath.Join(folder, "v2", "ciliumloadbalancerippools.yaml"),
		filepath.Join(folder, "v2alpha1", "ciliumpodippools.yaml"),
		filepath.Join(folder, "v2alpha1", "ciliuml2announcementpolicies.yaml"),
	}
}

// reflectorWait is how long the agent gathers changes. It refuses 0, and its
// clock ticks freely: a millisecond stands for no waiting.
func reflectorWait(s Settings) time.Duration {
	return max(s.Window(ciliumWindow), time.Millisecond)
}

func (ebpf) Notes(s scenarios.Settings) []string {
	notes := []string{
		ciliumBatching(s),
		"A Service is looked up in a hash map: no Service comes before another. The position classes then follow the order of cluster IPs and should not differ.",
		"The agent compiles its BPF programs with clang at every start: that is part of its cold start and of its CPU time.",
	}
	if s.EBPF.Datapath == scenarios.DatapathSocket {
		return append(notes, "Datapath socket: addresses are translated inside connect(), in the client's own process, as for pods on a Cilium node. The path of a packet through the node is then that of plain forwarding; compare connect.syscall.")
	}
	return append(notes, "Datapath tc: packets that reach the node through a device are translated there. To Cilium the client is not one of its pods: the source address is translated too, as that of traffic from outside.")
}

// The agent's metrics.
const (
	// ciliumSyncs is a histogram of how long it took to write one object to
	// the kernel, ciliumErrors how many it could not write.
	ciliumSyncs  = "cilium_reconciler_duration_seconds"
	ciliumErrors = "cilium_reconciler_errors_current"
	// ciliumEndpoints counts endpoints by state. The node itself is one: when
	// it is ready, all programs are attached.
	ciliumEndpoints = "cilium_endpoint_state"
	// ciliumModule is the part of the agent whose objects are frontends.
	ciliumModule = "loadbalancer-reconciler"
)

// Syncs adds up what the agent spent on frontends.
func (ebpf) Syncs(metrics map[string]*dto.MetricFamily) clusters.Syncs {
	frontends := func(labels map[string]string) bool { return strings.HasSuffix(labels["module_id"], ciliumModule) }
	s := sum(metrics[ciliumSyncs], frontends)
	s.Failing = int(gauge(metrics[ciliumErrors], frontends))
	ready := gauge(metrics[ciliumEndpoints], func(labels map[string]string) bool { return labels["endpoint_state"] == "ready" })
	others := gauge(metrics[ciliumEndpoints], func(labels map[string]string) bool { return labels["endpoint_state"] != "ready" })
	s.Unsettled = ready == 0 || others > 0
	return s
}
