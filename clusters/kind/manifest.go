package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// proxyLabel is what a node must have for the proxy under test to run there.
const proxyLabel = "svcbench.dev/proxy"

// proxyShare is the share of the processors that every proxy under test asks for.
const proxyShare = "500m"

// edits are what is done to the objects of a manifest, by their kind: each is
// given an object as JSON and returns another in its place.
type edits map[string]func(object []byte) ([]byte, error)

// apply makes the objects of a manifest of YAML documents, changed.
func (c *cluster) apply(ctx context.Context, manifest []byte, e edits) error {
	changed, err := e.to(manifest)
	if err != nil {
		return err
	}
	_, err = c.control().Run(ctx, changed, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "apply", "--server-side", "-f", "-")
	return err
}

// control is the control plane's node.
func (c *cluster) control() node { return c.node(c.name + "-control-plane") }

// to changes a manifest. The result is JSON documents, which are YAML too. That
// there is nothing of a kind to change is an error.
func (e edits) to(manifest []byte) ([]byte, error) {
	var all bytes.Buffer
	found := map[string]bool{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		var object json.RawMessage
		err := decoder.Decode(&object)
		switch {
		case errors.Is(err, io.EOF):
			for kind := range e {
				if !found[kind] {
					return nil, fmt.Errorf("there is no %s", kind)
				}
			}
			return all.Bytes(), nil
		case err != nil:
			return nil, err
		case len(object) == 0 || string(object) == "null":
			continue
		}
		var is metav1.TypeMeta
		if err := json.Unmarshal(object, &is); err != nil {
			return nil, err
		}
		if change := e[is.Kind]; change != nil {
			found[is.Kind] = true
			if object, err = change(object); err != nil {
				return nil, fmt.Errorf("change %s: %w", is.Kind, err)
			}
		}
		all.WriteString("---\n")
		all.Write(object)
		all.WriteString("\n")
	}
}

// allow lets the proxy run on the client's node, or not any more.
//
// It runs on that node alone. On nodes of their own the others would cost nothing
// of what is measured; here they would program the same rules at the same time on
// the same processors.
func (p *proxy) allow(ctx context.Context, allow bool) error {
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
