package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// proxyLabel is what a node must have for kube-proxy to run there.
const proxyLabel = "svcbench.dev/proxy"

// proxyShare is the share of the processors that every proxy under test asks for.
const proxyShare = "500m"

// kubeProxyFlags are the arguments that only flags can say.
func (p *proxy) kubeProxyFlags() []string {
	return []string{fmt.Sprintf("--v=%d", p.cluster.config.Settings.Proxy.Verbosity)}
}

// deployKubeProxy makes everything of kube-proxy that kubeadm makes, but for a
// node on which it may run.
//
// It will run on the client's node alone. On nodes of their own the others would
// cost nothing of what is measured; here they would program the same rules at the
// same time on the same processors.
func (p *proxy) deployKubeProxy(ctx context.Context) error {
	control := p.cluster.node(p.cluster.name + "-control-plane")
	const config = "/kind/svcbench.conf"
	given, err := control.Run(ctx, nil, "cat", "/kind/kubeadm.conf")
	if err != nil {
		return err
	}
	// The phase was to be skipped when the cluster was made.
	wanted := bytes.ReplaceAll(given, []byte("- "+phaseProxy+"\n"), nil)
	if _, err := control.Run(ctx, wanted, "dd", "status=none", "of="+config); err != nil {
		return err
	}
	manifests, err := control.Run(ctx, nil, "kubeadm", "init", "phase", "addon", "kube-proxy", "--print-manifest", "--config="+config)
	if err != nil {
		return err
	}
	if manifests, err = p.adapt(manifests); err != nil {
		return fmt.Errorf("adapt what kubeadm makes of kube-proxy: %w", err)
	}
	_, err = control.Run(ctx, manifests, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "apply", "--server-side", "-f", "-")
	return err
}

// adapt changes the DaemonSet among YAML documents: where it runs, and with which
// flags. The result is JSON documents, which are YAML too.
func (p *proxy) adapt(manifests []byte) ([]byte, error) {
	var all bytes.Buffer
	found := false
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF) && !found:
			return nil, errors.New("there is no DaemonSet")
		case errors.Is(err, io.EOF):
			return all.Bytes(), nil
		case err != nil:
			return nil, err
		case len(document) == 0 || string(document) == "null":
			continue
		}
		var kind metav1.TypeMeta
		if err := json.Unmarshal(document, &kind); err != nil {
			return nil, err
		}
		if kind.Kind == "DaemonSet" {
			found = true
			if document, err = p.adaptDaemonSet(document); err != nil {
				return nil, err
			}
		}
		all.WriteString("---\n")
		all.Write(document)
		all.WriteString("\n")
	}
}

func (p *proxy) adaptDaemonSet(document []byte) ([]byte, error) {
	var set appsv1.DaemonSet
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, err
	}
	pod := &set.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		return nil, fmt.Errorf("its pods have %d containers", len(pod.Containers))
	}
	if pod.NodeSelector == nil {
		pod.NodeSelector = map[string]string{}
	}
	pod.NodeSelector[proxyLabel] = "yes"
	// On a machine of its own it need not share with the control plane.
	pod.Containers[0].Resources = requested(proxyShare)
	pod.Containers[0].Command = append(pod.Containers[0].Command, p.kubeProxyFlags()...)
	return json.Marshal(set)
}

// allowKubeProxy lets kube-proxy run on the client's node, or not any more.
func (p *proxy) allowKubeProxy(ctx context.Context, allow bool) error {
	var value any // null removes the label
	if allow {
		value = "yes"
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{proxyLabel: value}}})
	if err != nil {
		return err
	}
	_, err = p.cluster.api.CoreV1().Nodes().Patch(ctx, p.cluster.home().name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}
