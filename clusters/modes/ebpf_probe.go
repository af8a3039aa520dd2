package modes

import (
	"context"
	"errors"
	"fmt"

	bpf "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"

	"svcbench/clusters"
)

// kernelFeatures are the BPF features without which the agent does not start,
// or has nothing to attach to (pkg/datapath/linux/requirements.go).
var kernelFeatures = []struct {
	what string
	have func() error
}{
	{"traffic control programs (SCHED_CLS)", func() error { return features.HaveProgramType(bpf.SchedCLS) }},
	{"programs at connect() (CGROUP_SOCK_ADDR)", func() error { return features.HaveProgramType(bpf.CGroupSockAddr) }},
	{"LRU hash maps", func() error { return features.HaveMapType(bpf.LRUHash) }},
	{"the helper bpf_redirect_neigh (Linux 5.10)", func() error {
		return features.HaveProgramHelper(bpf.SchedCLS, asm.FnRedirectNeigh)
	}},
	{"the helper bpf_fib_lookup", func() error { return features.HaveProgramHelper(bpf.SchedCLS, asm.FnFibLookup) }},
}

// Probe tries what the agent needs of the kernel, and looks for its compiler.
func (ebpf) Probe(ctx context.Context, n Node) (clusters.Answer, string) {
	if answer, because := ProbeKernel(); answer != clusters.Yes {
		return answer, because
	}
	for _, need := range Needs() {
		if answer, text := need.Try(ctx, n); answer != clusters.Yes {
			return answer, text
		}
	}
	return clusters.Yes, ""
}

// ProbeKernel tries what Cilium's agent needs of the kernel, wherever its files
// are.
func ProbeKernel() (answer clusters.Answer, because string) {
	for _, f := range kernelFeatures {
		err := f.have()
		switch {
		case errors.Is(err, bpf.ErrNotSupported):
			return clusters.No, "the kernel has no " + f.what
		case err != nil:
			return clusters.Unknown, fmt.Sprintf("%s could not be tried: %v", f.what, err)
		}
	}
	return clusters.Yes, ""
}
