package kind

import (
	"bytes"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"svcbench/clusters"
	"svcbench/scenarios"
)

func TestAdapt(t *testing.T) {
	p := &proxy{cluster: &cluster{config: clusters.Config{Settings: scenarios.Settings{Proxy: scenarios.Proxy{Verbosity: 4}}}}}
	got, err := p.adapt([]byte(`---
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
`))
	if err != nil {
		t.Fatal(err)
	}
	documents := bytes.Split(got, []byte("---\n"))
	if len(documents) != 3 || !bytes.Contains(documents[1], []byte("ServiceAccount")) {
		t.Fatalf("documents %q", documents)
	}
	var set appsv1.DaemonSet
	if err := yaml.Unmarshal(documents[2], &set); err != nil {
		t.Fatal(err)
	}
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

func TestAdaptNothing(t *testing.T) {
	if _, err := (&proxy{}).adapt([]byte("kind: ConfigMap\n")); err == nil || !strings.Contains(err.Error(), "no DaemonSet") {
		t.Errorf("error is %v", err)
	}
}
