package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// Set by the linker; see the Makefile.
var (
	version = "dev"
	commit  = ""
)

// versionInfo is what "svcbench version -o json" prints.
type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func newVersion(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of svcbench",
		Args:  cobra.NoArgs,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		v := versionInfo{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
		if output.value == "json" {
			return writeJSON(streams.Out, v)
		}
		text := "svcbench " + v.Version
		if v.Commit != "" {
			text += " (" + v.Commit + ")"
		}
		_, err := fmt.Fprintf(streams.Out, "%s %s %s/%s\n", text, v.Go, v.OS, v.Arch)
		return err
	}
	return cmd
}
