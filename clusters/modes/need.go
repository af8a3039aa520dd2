package modes

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"svcbench/clusters"
	"svcbench/internal/cgroup"
)

// Need is one thing that a mode needs and that people can repair by itself.
type Need struct {
	// ID is short and stable, Title names it.
	ID, Title string
	// Try finds out whether it is there. The text says what was found for
	// clusters.Yes, and else why the answer is another one.
	Try func(ctx context.Context, n Node) (answer clusters.Answer, text string)
}

// Needs returns what mode ebpf needs beside features of the kernel. Its probe
// tries them as well.
func Needs() []Need {
	return []Need{
		{"bpffs", "BPF file system", tryBPFFS},
		{"cgroup", "cgroup v2", tryCgroup},
		{"clang", "clang for Cilium", tryClang},
	}
}

// tryBPFFS mounts one where only a program sees it that ends at once. The
// folder does not matter.
func tryBPFFS(ctx context.Context, n Node) (clusters.Answer, string) {
	if _, err := n.Run(ctx, nil, "unshare", "--mount", "mount", "-t", "bpf", "bpf", "/run"); err != nil {
		return refusal(err, "the kernel mounts no bpffs")
	}
	return clusters.Yes, "can be mounted"
}

func tryCgroup(context.Context, Node) (clusters.Answer, string) {
	group, err := cgroup.At("svcbench-trial")
	switch {
	case errors.Is(err, cgroup.ErrNone):
		return clusters.No, err.Error()
	case err != nil:
		return clusters.Unknown, err.Error()
	}
	if err := group.Allowed(); err != nil {
		return clusters.No, err.Error()
	}
	return clusters.Yes, "trials may have " + group.Dir()
}

func tryClang(ctx context.Context, n Node) (clusters.Answer, string) {
	path, err := findClang(ctx, n)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return clusters.NotInstalled, fmt.Sprintf("clang is not installed; Cilium's agent compiles its programs with %d.%d or newer", leastClang[0], leastClang[1])
	case ctx.Err() != nil:
		return clusters.Unknown, fmt.Sprintf("it could not be tried: %v", context.Cause(ctx))
	case err != nil:
		return clusters.NotInstalled, fmt.Sprintf("Cilium's agent compiles its programs with clang %d.%d or newer: %v", leastClang[0], leastClang[1], err)
	}
	return clusters.Yes, path
}
