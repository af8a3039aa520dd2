package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"svcbench/clusters/kind"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// defaultScenario is what run and plan take when none is named.
const defaultScenario = "quick"

// choosing is the choice of scenarios by arguments and flags, the same for run and plan.
type choosing struct {
	all    bool
	modes  []string
	points []int
	blocks blockCount
	seed   uint64
	aa     bool
}

// addChoosing gives cmd the flags that change scenarios, and completion.
func addChoosing(cmd *cobra.Command) *choosing {
	c := &choosing{}
	flags := cmd.Flags()
	flags.BoolVar(&c.all, "all", false, "all built-in scenarios, in all modes that run here")
	flags.StringSliceVar(&c.modes, "modes", nil, "modes to measure, instead of the scenario's (iptables,ipvs,nftables,ebpf)")
	flags.IntSliceVar(&c.points, "points", nil, "numbers of Services, instead of the scenario's")
	flags.Var(&c.blocks, "blocks", "number of repetitions, instead of the scenario's; or auto:5%, as many as it takes until the most important number is known to that share")
	flags.BoolVar(&c.aa, "aa", false, "measure the baseline twice, to see how much is noise (A/A control)")
	flags.Uint64Var(&c.seed, "seed", 0, "seed of everything drawn at random, instead of the scenario's")
	completeFlag(cmd, "modes", cobra.FixedCompletions(modeNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"points", "blocks", "seed"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
	cmd.ValidArgsFunction = completeScenarios
	return c
}

// load returns the scenarios that are named, changed by the flags.
func (c *choosing) load(cmd *cobra.Command, names []string) ([]scenarios.Scenario, error) {
	names, err := c.names(names, podNodes(cmd))
	if err != nil {
		return nil, err
	}
	overrides, err := c.overrides(cmd)
	if err != nil {
		return nil, err
	}
	chosen := make([]scenarios.Scenario, 0, len(names))
	for _, name := range names {
		s, err := scenarios.Load(name)
		if err != nil {
			return nil, err
		}
		if err := overrides.Apply(s); err != nil {
			return nil, err
		}
		chosen = append(chosen, *s)
	}
	return chosen, nil
}

// overrides are the changes that the flags ask for. A flag with an empty
// value, as from a variable that is not set, must not mean the default.
func (c *choosing) overrides(cmd *cobra.Command) (scenarios.Overrides, error) {
	o := scenarios.Overrides{Points: c.points}
	for _, m := range c.modes {
		o.Modes = append(o.Modes, scenarios.Mode(m))
	}
	if cmd.Flags().Changed("modes") && len(o.Modes) == 0 {
		return o, failure.New(failure.Usage, errors.New("--modes names no mode"), "modes are "+strings.Join(modeNames(), ", "))
	}
	if c.all && len(o.Modes) == 0 {
		o.Modes = scenarios.Modes()
	}
	if cmd.Flags().Changed("blocks") {
		o.Blocks = &c.blocks.n
	}
	if cmd.Flags().Changed("seed") {
		o.Seed = &c.seed
	}
	if cmd.Flags().Changed("aa") {
		o.Control = &c.aa
	}
	return o, nil
}

// podNodes is how many nodes for pods the clusters have that cmd asks for.
func podNodes(cmd *cobra.Command) int {
	flag := cmd.Flags().Lookup("cluster")
	if flag == nil || flag.Value.String() != kind.Name {
		return 0
	}
	workers, err := cmd.Flags().GetInt("workers")
	if err != nil { // it has no such flag
		return 1
	}
	return kind.PodNodes(workers)
}

// names are the scenarios asked for. All are those that can be measured: without
// pods some cannot, and with them not the datapath socket.
func (c *choosing) names(args []string, nodes int) ([]string, error) {
	switch {
	case c.all && len(args) > 0:
		return nil, failure.New(failure.Usage, errors.New("--all and the names of scenarios exclude each other"), "leave out one of the two")
	case c.all:
		all, err := scenarios.Builtins()
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			socket := s.EBPF.Datapath == scenarios.DatapathSocket
			if s.PodNodes() <= nodes && (nodes == 0 || !socket) {
				args = append(args, s.Name)
			}
		}
	case len(args) == 0:
		args = []string{defaultScenario}
	}
	return args, nil
}

func modeNames() []string {
	var names []string
	for _, m := range scenarios.Modes() {
		names = append(names, string(m))
	}
	return names
}

// completeScenarios completes the names of built-in scenarios that are not
// yet on the line, and files.
func completeScenarios(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, err := scenarios.Builtins()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []cobra.Completion
	for _, s := range all {
		if !slices.Contains(args, s.Name) {
			names = append(names, cobra.CompletionWithDesc(s.Name, s.Title))
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}
