package main

import (
	"github.com/spf13/cobra"

	"svcbench/clusters/vm"
)

func newVMInit() *cobra.Command {
	return &cobra.Command{
		Use:    vm.InitCommand,
		Short:  "Be the first process of a virtual machine",
		Hidden: true,
		Args:   noArguments,
		RunE:   func(*cobra.Command, []string) error { return vm.Init() },
	}
}
