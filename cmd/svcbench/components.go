package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"svcbench/internal/components"
	"svcbench/internal/progress"
)

func newComponents(streams Streams) *cobra.Command {
	p := &programs{}
	cmd := &cobra.Command{
		Use:   "components",
		Short: "Show or build the real programs a cluster is made of",
		Long: `Shows which of the programs a local cluster is made of are built, at which
version, how big and where. They are built from the Go module proxy, once per
version, into a folder that all runs share. Beside cilium-agent lie two folders
that it needs: bpf, the sources of its data path, and crds, its API types; both
are expected in the folder of --use too.`,
		Args: knownCommand,
	}
	cmd.PersistentFlags().StringVar(&p.dir, "dir", "", "folder of built components (default: in the user's cache folder)")
	cmd.PersistentFlags().StringVar(&p.use, "use", "", "folder with programs to use instead of building them")
	completeFlag(cmd, "dir", completeFolder)
	completeFlag(cmd, "use", completeFolder)
	output := addOutput(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		store, err := p.store()
		if err != nil {
			return err
		}
		return showComponents(cmd, streams, store, output.value)
	}
	cmd.AddCommand(newComponentsBuild(streams, p), newComponentsNodeImage(streams, p))
	return cmd
}

func newComponentsBuild(streams Streams, p *programs) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build [NAME...]",
		Short: "Build what is missing",
		Long: `Builds the components that are missing or were built for another version of
svcbench: about twenty minutes on two processors for all of them, once. A run
builds only those that its modes need: cilium-agent, nearly half of the time, is
for ebpf.`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.FixedCompletions(componentNames(), cobra.ShellCompDirectiveNoFileComp),
	}
	style := addProgress(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		store, err := p.store()
		if err != nil {
			return err
		}
		display := style.display(streams)
		defer display.Close()
		if _, err := store.Ensure(cmd.Context(), args, newBuildReport(display)); err != nil {
			return err
		}
		display.Close()
		return showComponents(cmd, streams, store, "text")
	}
	return cmd
}

func componentNames() []string {
	var names []string
	for _, c := range components.All() {
		names = append(names, c.Name)
	}
	return names
}

func showComponents(cmd *cobra.Command, streams Streams, store *components.Store, output string) error {
	all, err := store.Status(cmd.Context())
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(streams.Out, all)
	}
	w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tSTATE\tSIZE\tBUILT IN\tPATH")
	var remarks []string
	for _, s := range all {
		size, took := "-", "-"
		if s.Size > 0 {
			size = fmt.Sprintf("%d MB", s.Size/1e6)
		}
		if s.BuildSeconds > 0 {
			took = progress.Rough(time.Duration(s.BuildSeconds * float64(time.Second)))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Version, s.State, size, took, s.Path)
		for _, remark := range []string{s.Because, s.Warning} {
			if remark != "" && (s.For == components.Local || s.State != components.Missing) {
				remarks = append(remarks, s.Name+": "+remark)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(remarks) > 0 {
		fmt.Fprintln(streams.Err, strings.Join(remarks, "\n"))
	}
	return nil
}
