package modes

import (
	"context"
	"errors"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// ebpf is the mode of Cilium, which replaces kube-proxy by BPF programs.
type ebpf struct{}

// errNoCilium is why the mode cannot run.
var errNoCilium = errors.New("this version of svcbench builds no Cilium agent")

func (ebpf) Name() scenarios.Mode { return scenarios.EBPF }

func (ebpf) Probe(context.Context, Node) (clusters.Answer, string) {
	return clusters.No, errNoCilium.Error()
}

func (ebpf) Configure(Settings) ([]byte, error) { return nil, errNoCilium }

func (ebpf) Notes() []string { return nil }

func (ebpf) Rules(context.Context, Node) (clusters.Rules, error) {
	return clusters.Rules{}, errNoCilium
}
