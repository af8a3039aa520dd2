package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"svcbench/internal/ociruntime"
)

// newOCIRuntime is the runtime of the Docker daemon that hack/docker.sh starts.
func newOCIRuntime() *cobra.Command {
	return &cobra.Command{
		Use:                "oci-runtime ARGS...",
		Short:              "Run runc with the capabilities that this machine grants",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			granted, err := ociruntime.Granted()
			if err != nil {
				return err
			}
			if err := ociruntime.Trim(args, granted); err != nil {
				return err
			}
			runc, err := exec.LookPath("runc")
			if err != nil {
				return err
			}
			if err := unix.Exec(runc, append([]string{"runc"}, args...), os.Environ()); err != nil {
				return fmt.Errorf("execute %s: %w", runc, err)
			}
			return nil
		},
	}
}
