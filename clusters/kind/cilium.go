package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svcbench/clusters/crd"
	"svcbench/clusters/modes"
	"svcbench/internal/chart"
	"svcbench/internal/failure"
)

// Cilium is what kind clusters run in mode ebpf.
type Cilium struct {
	// Chart is the folder of its Helm chart, CRDs that of the definitions of its
	// API types.
	Chart, CRDs string
	// Image is the name of the agent's image, and Archive a file that has it.
	Image, Archive string
	// Version is the agent's.
	Version string
}

// cilium is Cilium's agent as its Helm chart deploys it, with the flags of local
// clusters.
type cilium struct{ cluster *cluster }

var _ deployment = cilium{}

// configure does nothing: the flags depend on what there is then.
func (c cilium) configure(context.Context) (modes.Program, error) { return modes.Program{}, nil }

// ciliumConfig is the name of the ConfigMap with the agent's flags.
const ciliumConfig = "cilium-config"

// deploy makes what the chart makes of an agent, and brings its image to the node.
// There is no operator: svcbench defines the API types that the agent waits for.
func (c cilium) deploy(ctx context.Context, _ modes.Program) (modes.Program, error) {
	flags := modes.CiliumFlags(modes.Settings{
		Pods: clusterRange, ClientLink: c.cluster.network.ClientLink, BackendLink: c.cluster.network.BackendLink,
		Size: c.cluster.config.Size, Settings: c.cluster.config.Settings,
	})
	program := modes.Program{Metrics: modes.CiliumMetrics}
	if _, err := crd.Establish(ctx, c.cluster.api.Discovery().RESTClient(), modes.CiliumDefinitions(c.cluster.cilium.CRDs)); err != nil {
		return program, err
	}
	if err := c.cluster.loadInto(ctx, c.cluster.home().name, c.cluster.cilium.Archive); err != nil {
		return program, err
	}
	if err := c.makeCgroup(ctx); err != nil {
		return program, err
	}
	manifest, err := c.render(ctx)
	if err != nil {
		return program, fmt.Errorf("render the chart of Cilium: %w", err)
	}
	do := edits{"DaemonSet": adaptCilium, "ConfigMap": func(object []byte) ([]byte, error) {
		object, config, err := overlay(object, flags)
		program.Config += config
		return object, err
	}}
	if err := c.cluster.apply(ctx, manifest, do); err != nil {
		return program, fmt.Errorf("make what the chart of Cilium says: %w", err)
	}
	if program.Config == "" {
		return program, fmt.Errorf("the chart of Cilium makes no ConfigMap %s", ciliumConfig)
	}
	return program, nil
}

// A cgroup in which nobody is, on the client's node. The agent translates addresses
// for processes in the cgroup that it is given; what is measured are packets.
const (
	cgroupHierarchy = "/run/svcbench/cgroup2"
	ciliumCgroup    = cgroupHierarchy + "/svcbench-empty"
)

func (c cilium) makeCgroup(ctx context.Context) error {
	home := c.cluster.home()
	for _, command := range [][]string{
		{"mkdir", "--parents", cgroupHierarchy},
		{"mount", "-t", "cgroup2", "cgroup2", cgroupHierarchy},
		{"mkdir", ciliumCgroup},
	} {
		if _, err := home.Run(ctx, nil, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// render renders the chart.
func (c cilium) render(ctx context.Context) ([]byte, error) {
	control, err := c.cluster.api.CoreV1().Nodes().Get(ctx, c.cluster.control().name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	version, err := c.cluster.api.Discovery().ServerVersion()
	if err != nil {
		return nil, err
	}
	return chart.Render(ctx, c.cluster.cilium.Chart, version.GitVersion, ciliumValues(c.cluster.cilium.Image, internalIP(*control)))
}

// ciliumValues are the values of the chart for an image, and an API server at an
// address. What only decides flags is not said here: see overlay.
func ciliumValues(image, server string) map[string]any {
	off := map[string]any{"enabled": false}
	return map[string]any{
		"image": map[string]any{"override": image, "pullPolicy": string(corev1.PullNever)},
		// Without kube-proxy no Service leads to the API server.
		"k8sServiceHost": server, "k8sServicePort": apiPort,
		"kubeProxyReplacement": "true",
		"daemon":               map[string]any{"configSources": "config-map:" + ciliumConfig},
		"operator":             off, "envoy": off, "hubble": off, "sysctlfix": off,
		// Pods are connected by svcbench, with every proxy alike.
		"cni":          map[string]any{"install": false},
		"cgroup":       map[string]any{"autoMount": off, "hostRoot": ciliumCgroup},
		"nodeSelector": map[string]any{proxyLabel: "yes"},
		"resources":    map[string]any{"requests": map[string]any{"cpu": proxyShare}},
	}
}

// apiPort is where kubeadm lets the API server listen.
const apiPort = 6443

// ciliumFiles is where the agent finds a file for each flag.
const ciliumFiles = "/tmp/cilium/config-map"

// verify reads what the agent was given where the agent reads it.
func (c cilium) verify(_ context.Context, p *proxy) error {
	for flag := range strings.Lines(p.program.Config) {
		name, want := splitFlag(strings.TrimSuffix(flag, "\n"))
		got, err := os.ReadFile(filepath.Join(p.machine.root(p.current()), ciliumFiles, name))
		if err != nil {
			return fmt.Errorf("read the configuration of cilium-agent: %w", err)
		}
		if string(got) != want {
			return failure.New(failure.Invalid, fmt.Errorf("cilium-agent does not run as it was configured: %s is %q instead of %q", name, got, want), "")
		}
	}
	return nil
}

// splitFlag splits "--name=value".
func splitFlag(flag string) (name, value string) {
	name, value, _ = strings.Cut(strings.TrimPrefix(flag, "--"), "=")
	return name, value
}

// overlay puts flags into the ConfigMap of the agent, over what the chart says, and
// returns all that the agent gets then, as flags. Another ConfigMap stays as it is.
func overlay(object []byte, flags []string) (changed []byte, config string, err error) {
	var m corev1.ConfigMap
	if err := json.Unmarshal(object, &m); err != nil || m.Name != ciliumConfig {
		return object, "", err
	}
	for _, flag := range flags {
		name, value := splitFlag(flag)
		m.Data[name] = value
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.Data)) {
		fmt.Fprintf(&all, "--%s=%s\n", name, m.Data[name])
	}
	changed, err = json.Marshal(m)
	return changed, all.String(), err
}

// adaptCilium changes the DaemonSet of the agent.
func adaptCilium(object []byte) ([]byte, error) {
	var set appsv1.DaemonSet
	if err := json.Unmarshal(object, &set); err != nil {
		return nil, err
	}
	yes := true
	pod := &set.Spec.Template.Spec
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			// The chart asks for capabilities by name, of which not every
			// machine grants all; this asks for those that there are.
			containers[i].SecurityContext = &corev1.SecurityContext{Privileged: &yes}
			for j, m := range containers[i].VolumeMounts {
				// It sets two sysctls of the whole machine, and shrugs when it
				// may not.
				if m.Name == "host-proc-sys-kernel" {
					containers[i].VolumeMounts[j].ReadOnly = true
				}
			}
		}
	}
	return json.Marshal(set)
}

// seen is the client's node with the files that the agent sees.
func (c cilium) seen(root string) modes.Node { return ciliumNode{c.cluster.home(), root} }

type ciliumNode struct {
	node
	root string // of the agent's container, on this machine
}

// Path is where this process finds a file of the agent: its BPF maps are below
// /sys/fs, as on every node.
func (n ciliumNode) Path(name string) string { return filepath.Join(n.root, "/sys/fs", name) }
