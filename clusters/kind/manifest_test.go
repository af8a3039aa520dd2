package kind

import (
	"bytes"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/chart"
	"svcbench/scenarios"
)

// changed changes a manifest and decodes the n-th object of the result.
func changed(t *testing.T, manifest string, e edits, n int, into any) {
	t.Helper()
	got, err := e.to([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	objects := bytes.Split(got, []byte("---\n"))[1:]
	if len(objects) <= n {
		t.Fatalf("objects %q", objects)
	}
	if err := yaml.Unmarshal(objects[n], into); err != nil {
		t.Fatal(err)
	}
}

func TestKubeProxy(t *testing.T) {
	k := kubeProxy{&cluster{config: clusters.Config{Settings: scenarios.Settings{Proxy: scenarios.Proxy{Verbosity: 4}}}}}
	var set appsv1.DaemonSet
	changed(t, `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: kube-proxy}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy}
spec:
  template:
    spec:
      nodeSelector: {kubernetes.io/os: linux}
      containers:
      - name: kube-proxy
        command: [/usr/local/bin/kube-proxy]
`, edits{"DaemonSet": k.adapt}, 1, &set)
	pod := set.Spec.Template.Spec
	if pod.NodeSelector["kubernetes.io/os"] != "linux" || pod.NodeSelector[proxyLabel] != "yes" {
		t.Errorf("it runs on nodes with %v", pod.NodeSelector)
	}
	if cpu := pod.Containers[0].Resources.Requests.Cpu().String(); cpu != proxyShare {
		t.Errorf("it asks for %s of the processors", cpu)
	}
	if command := strings.Join(pod.Containers[0].Command, " "); command != "/usr/local/bin/kube-proxy --v=4" {
		t.Errorf("it runs %q", command)
	}
}

func TestNothingToChange(t *testing.T) {
	do := edits{"DaemonSet": adaptCilium}
	if _, err := do.to([]byte("kind: ConfigMap\n")); err == nil || !strings.Contains(err.Error(), "no DaemonSet") {
		t.Errorf("error is %v", err)
	}
}

// Flags go over what the chart says, in the agent's ConfigMap and no other.
func TestOverlay(t *testing.T) {
	const manifest = `
kind: ConfigMap
metadata: {name: other}
data: {ipam: cluster-pool}
---
kind: ConfigMap
metadata: {name: cilium-config}
data: {ipam: cluster-pool, debug: "false"}
`
	var told string
	do := edits{"ConfigMap": func(object []byte) ([]byte, error) {
		object, config, err := overlay(object, []string{"--ipam=kubernetes", "--metrics=+a +b=c"})
		told += config
		return object, err
	}}
	var other, config corev1.ConfigMap
	changed(t, manifest, do, 0, &other)
	if len(other.Data) != 1 || other.Data["ipam"] != "cluster-pool" {
		t.Errorf("another ConfigMap has %v", other.Data)
	}
	changed(t, manifest, do, 1, &config)
	if len(config.Data) != 3 || config.Data["ipam"] != "kubernetes" || config.Data["debug"] != "false" || config.Data["metrics"] != "+a +b=c" {
		t.Errorf("it has %v", config.Data)
	}
	if once := "--debug=false\n--ipam=kubernetes\n--metrics=+a +b=c\n"; told != once+once { // it was changed twice
		t.Errorf("told %q", told)
	}
}

// Nobody may change settings of the whole machine, and everybody may do what the
// node may.
func TestAdaptCilium(t *testing.T) {
	var set appsv1.DaemonSet
	changed(t, `
kind: DaemonSet
spec:
  template:
    spec:
      initContainers:
      - name: clean
        securityContext: {capabilities: {add: [SYS_RESOURCE], drop: [ALL]}}
      containers:
      - name: cilium-agent
        securityContext: {capabilities: {add: [SYS_RESOURCE], drop: [ALL]}}
        volumeMounts:
        - {name: host-proc-sys-net, mountPath: /host/proc/sys/net}
        - {name: host-proc-sys-kernel, mountPath: /host/proc/sys/kernel}
`, edits{"DaemonSet": adaptCilium}, 0, &set)
	pod := set.Spec.Template.Spec
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if c.SecurityContext.Privileged == nil || !*c.SecurityContext.Privileged || c.SecurityContext.Capabilities != nil {
			t.Errorf("%s has %+v", c.Name, c.SecurityContext)
		}
	}
	mounts := pod.Containers[0].VolumeMounts
	if mounts[0].ReadOnly || !mounts[1].ReadOnly {
		t.Errorf("mounts %+v", mounts)
	}
}

// TestRealChart renders the chart of Cilium that kind clusters get: one DaemonSet, on
// the nodes where it may run, with the flags of svcbench in its ConfigMap.
func TestRealChart(t *testing.T) {
	real := testCilium(t)
	manifest, err := chart.Render(t.Context(), real.Chart, "v1.37.2", ciliumValues(real.Image, "172.20.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	var sets []appsv1.DaemonSet
	var config string
	flags := modes.CiliumFlags(modes.Settings{ClientLink: "veth1", BackendLink: "eth0"})
	_, err = edits{
		"DaemonSet": func(object []byte) ([]byte, error) {
			var set appsv1.DaemonSet
			err := yaml.Unmarshal(object, &set)
			sets = append(sets, set)
			return object, err
		},
		"ConfigMap": func(object []byte) ([]byte, error) {
			object, its, err := overlay(object, flags)
			config += its
			return object, err
		},
	}.to(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != 1 || sets[0].Spec.Template.Spec.NodeSelector[proxyLabel] != "yes" || sets[0].Spec.Template.Spec.Containers[0].Image != real.Image {
		t.Fatalf("DaemonSets %+v", sets)
	}
	for _, container := range append(sets[0].Spec.Template.Spec.InitContainers, sets[0].Spec.Template.Spec.Containers...) {
		if name := container.Name; name != "cilium-agent" && name != "mount-bpf-fs" && name != "clean-cilium-state" {
			t.Errorf("there is a container %s, for which the image of svcbench has no program", name)
		}
	}
	for _, flag := range append(flags, "--procfs=/host/proc", "--bpf-root=/sys/fs/bpf", "--cgroup-root="+ciliumCgroup) {
		if !strings.Contains("\n"+config, "\n"+flag+"\n") {
			t.Errorf("no %s in\n%s", flag, config)
		}
	}
}
