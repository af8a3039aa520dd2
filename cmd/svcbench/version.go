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
		Args:  noArguments,
	}
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		v := thisVersion()
		if output.value == "json" {
			return writeJSON(streams.Out, v)
		}
		_, err := fmt.Fprintln(streams.Out, v)
		return err
	}
	return cmd
}

func thisVersion() versionInfo {
	return versionInfo{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// String is the version on one line.
func (v versionInfo) String() string {
	text := "svcbench " + v.Version
	if v.Commit != "" {
		text += " (" + v.Commit + ")"
	}
	return fmt.Sprintf("%s %s %s/%s", text, v.Go, v.OS, v.Arch)
}
