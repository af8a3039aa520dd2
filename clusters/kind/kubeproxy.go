package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"

	"svcbench/clusters/modes"
)

// kubeProxy is kube-proxy as kubeadm deploys it.
type kubeProxy struct{ cluster *cluster }

var _ deployment = kubeProxy{}

// configure writes its configuration, that of local clusters, which is part of
// what the cluster is created from.
func (k kubeProxy) configure(ctx context.Context) (modes.Program, error) {
	return k.cluster.mode.Program(ctx, node{}, modes.Settings{
		// Where kubeadm puts it; the name of the node is given by a flag.
		Kubeconfig: "/var/lib/kube-proxy/kubeconfig.conf",
		Pods:       clusterRange, Size: k.cluster.config.Size, Settings: k.cluster.config.Settings,
	})
}

// deploy makes everything that kubeadm makes.
func (k kubeProxy) deploy(ctx context.Context, program modes.Program) (modes.Program, error) {
	control := k.cluster.control()
	const config = "/kind/svcbench.conf"
	given, err := control.Run(ctx, nil, "cat", "/kind/kubeadm.conf")
	if err != nil {
		return program, err
	}
	// The phase was to be skipped when the cluster was made.
	wanted := bytes.ReplaceAll(given, []byte("- "+phaseProxy+"\n"), nil)
	if _, err := control.Run(ctx, wanted, "dd", "status=none", "of="+config); err != nil {
		return program, err
	}
	manifest, err := control.Run(ctx, nil, "kubeadm", "init", "phase", "addon", "kube-proxy", "--print-manifest", "--config="+config)
	if err != nil {
		return program, err
	}
	if err := k.cluster.apply(ctx, manifest, edits{"DaemonSet": k.adapt}); err != nil {
		return program, fmt.Errorf("make what kubeadm makes of kube-proxy: %w", err)
	}
	return program, nil
}

// adapt changes the DaemonSet: where it runs, and with what only flags can say.
func (k kubeProxy) adapt(object []byte) ([]byte, error) {
	var set appsv1.DaemonSet
	if err := json.Unmarshal(object, &set); err != nil {
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
	pod.Containers[0].Command = append(pod.Containers[0].Command, fmt.Sprintf("--v=%d", k.cluster.config.Settings.Proxy.Verbosity))
	return json.Marshal(set)
}

// seen is the node: kube-proxy has no files of its own.
func (k kubeProxy) seen(string) modes.Node { return k.cluster.home() }
