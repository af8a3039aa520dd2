// Package modes knows the ways of implementing Kubernetes Services, one file
// a mode: what each needs, how it is configured, and how its rules are read
// back. Where and as what it runs is a provider's affair.
package modes

import (
	"context"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// Mode is one way of implementing Services.
type Mode interface {
	// Name is the mode's name.
	Name() scenarios.Mode
	// Probe finds out by trying whether the mode can run at a node that
	// holds nothing yet, and leaves nothing there that matters. because is
	// empty for clusters.Yes.
	Probe(ctx context.Context, n Node) (answer clusters.Answer, because string)
	// Configure returns the complete configuration of the mode's proxy.
	Configure(s Settings) ([]byte, error)
	// Rules reads back what the proxy has programmed at the node.
	Rules(ctx context.Context, n Node) (clusters.Rules, error)
	// Notes are facts of the mode that a reader needs beside its numbers.
	Notes() []string
}

// Node is where a mode is tried and observed.
type Node interface {
	// Run runs a program to its end in the node's network namespace, with
	// stdin as its standard input, and returns its standard output. The
	// error holds its standard error.
	Run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error)
}

// All returns every mode in the order of reports.
func All() []Mode { return []Mode{iptables{}, ipvs{}, nftables{}, ebpf{}} }

// Of returns the mode of that name, nil if there is none.
func Of(name scenarios.Mode) Mode {
	for _, m := range All() {
		if m.Name() == name {
			return m
		}
	}
	return nil
}
