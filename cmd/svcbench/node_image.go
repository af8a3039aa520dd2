package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"svcbench/clusters/kind"
	"svcbench/internal/components"
	"svcbench/internal/nodeimage"
	"svcbench/internal/progress"
)

func newComponentsNodeImage(streams Streams, p *programs) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node-image",
		Short: "Assemble the image of kind's nodes, for machines that can pull none",
		Long: `Assembles the image of a kind node from Debian packages and from programs built
from Go modules, and prints its name and the file that has it. "svcbench run
--cluster kind" uses it where kind's own image is neither there nor can be
pulled. Needs root, Debian and mmdebstrap; no container runtime.`,
		Args: cobra.NoArgs,
	}
	style := addProgress(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireRoot("assembling a node image"); err != nil {
			return err
		}
		display := style.display(streams)
		defer display.Close()
		options, err := p.nodeImage(cmd.Context(), display)
		if err != nil {
			return err
		}
		image, err := nodeimage.Build(cmd.Context(), options)
		if err != nil {
			return err
		}
		agent, err := nodeimage.BuildCilium(cmd.Context(), options, components.VersionOf("cilium-agent"))
		if err != nil {
			return err
		}
		display.Close()
		for _, i := range []nodeimage.Image{image, agent} {
			fmt.Fprintln(streams.Out, i.Ref, i.Path)
		}
		return nil
	}
	return cmd
}

// nodeImage returns what the image of nodes is made of, which is built where it
// is missing.
func (p *programs) nodeImage(ctx context.Context, display progress.Display) (nodeimage.Options, error) {
	dir, err := p.folder()
	if err != nil {
		return nodeimage.Options{}, err
	}
	store, err := p.store()
	if err != nil {
		return nodeimage.Options{}, err
	}
	paths, err := store.Ensure(ctx, append(nodeimage.Programs(), "kind", "cilium-agent"), newBuildReport(display))
	if err != nil {
		return nodeimage.Options{}, err
	}
	return nodeimage.Options{
		Programs: paths, Kubernetes: components.VersionOf("kubelet"), Base: components.Beside(paths["kind"], components.Base),
		Dir:    filepath.Join(filepath.Dir(dir), "node-image"),
		Report: func(step string) { display.Phase(progress.Phase{Text: step}) },
	}, nil
}

// kindProvider returns the provider of kind clusters, with an image of nodes
// that the container engine has.
func (p *programs) kindProvider(ctx context.Context, display progress.Display) (*kind.Provider, error) {
	options, err := p.nodeImage(ctx, display)
	if err != nil {
		return nil, err
	}
	image, err := kind.ChooseImage(ctx, "", options, func(what string) { display.Phase(progress.Phase{Text: what}) })
	if err != nil {
		return nil, err
	}
	agent, err := nodeimage.BuildCilium(ctx, options, components.VersionOf("cilium-agent"))
	if err != nil {
		return nil, err
	}
	return kind.New(kind.Options{
		Image: image, Workers: 1, Cilium: &kind.Cilium{Image: agent, Assets: filepath.Dir(options.Programs["cilium-agent"])},
	}), nil
}
