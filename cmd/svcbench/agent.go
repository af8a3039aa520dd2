package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"

	"svcbench/internal/agent"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/connect"
	"svcbench/internal/agent/flow"
	"svcbench/internal/agent/httpload"
	"svcbench/internal/agent/path"
	"svcbench/internal/agent/verify"
	"svcbench/internal/agent/watch"
)

// agents are the instruments' ends that run at a place of a cluster, by the
// names under which runners launch them.
func agents() map[string]func(context.Context, *agent.Conn) error {
	return map[string]func(context.Context, *agent.Conn) error{
		backend.Name:  backend.Serve,
		connect.Name:  connect.Serve,
		flow.Name:     flow.Serve,
		httpload.Name: httpload.Serve,
		path.Name:     path.Serve,
		verify.Name:   verify.Serve,
		watch.Name:    watch.Serve,
	}
}

// newAgentPod is what a pod of agents runs: it does nothing until it is ended.
func newAgentPod() *cobra.Command {
	var answer, swallow string
	var serve uint16
	cmd := &cobra.Command{
		Use:    "agent-pod",
		Short:  "Wait in a pod for agents to be started",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, r := range []struct {
				addresses string
				do        func(netip.Prefix) error
			}{{answer, takeHere}, {swallow, backend.Swallow}} {
				if r.addresses == "" {
					continue
				}
				addresses, err := netip.ParsePrefix(r.addresses)
				if err != nil {
					return fmt.Errorf("read a range of addresses: %w", err)
				}
				if err := r.do(addresses); err != nil {
					return err
				}
			}
			if serve != 0 {
				return backend.Alone(cmd.Context(), backend.Spec{Ports: []uint16{serve}})
			}
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&answer, "answer", "", "range of addresses that belong to the pod")
	cmd.Flags().StringVar(&swallow, "swallow", "", "range of addresses whose packets come here to vanish")
	cmd.Flags().Uint16Var(&serve, "serve", 0, "port on which to answer as backends do")
	return cmd
}

// takeHere gives the pod a range of addresses.
func takeHere(addresses netip.Prefix) error { return backend.Take(&netlink.Handle{}, addresses) }

func newAgent(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:    "agent NAME",
		Short:  "Run an instrument's agent on standard input and output",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			serve, ok := agents()[args[0]]
			if !ok {
				return fmt.Errorf("no agent is called %q (there are %s)", args[0],
					strings.Join(slices.Sorted(maps.Keys(agents())), ", "))
			}
			conn := agent.NewConn(streams.In, streams.Out)
			err := serve(cmd.Context(), conn)
			if err != nil {
				_ = conn.Fail(err) // the runner may be gone
			}
			return err
		},
	}
}
