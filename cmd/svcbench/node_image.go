package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"svcbench/clusters/kind"
	"svcbench/internal/components"
	"svcbench/internal/failure"
	"svcbench/internal/nodeimage"
	"svcbench/internal/progress"
	"svcbench/scenarios"
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
		maker := images{p, display}
		node, err := maker.node(cmd.Context())
		if err != nil {
			return err
		}
		agent, err := maker.cilium(cmd.Context())
		if err != nil {
			return err
		}
		display.Close()
		for _, i := range []nodeimage.Image{node, agent} {
			fmt.Fprintln(streams.Out, i.Ref, i.Path)
		}
		return nil
	}
	return cmd
}

// images makes the images of kind clusters, and what goes into them, where they
// are missing.
type images struct {
	programs *programs
	display  progress.Display
}

// parts builds programs and returns where they are and where images are kept.
func (i images) parts(ctx context.Context, names ...string) (nodeimage.Options, error) {
	dir, err := i.folder()
	if err != nil {
		return nodeimage.Options{}, err
	}
	store, err := i.programs.store()
	if err != nil {
		return nodeimage.Options{}, err
	}
	paths, err := store.Ensure(ctx, names, newBuildReport(i.display))
	if err != nil {
		return nodeimage.Options{}, err
	}
	return nodeimage.Options{
		Programs: paths, Kubernetes: components.VersionOf("kubelet"), Base: components.Beside(paths["kind"], components.Base),
		ImageFiles: components.Beside(paths[components.CiliumChart], components.ImageFiles), Dir: dir, Report: i.tell,
	}, nil
}

// folder is where images are kept: beside the components.
func (i images) folder() (string, error) {
	dir, err := i.programs.folder()
	return filepath.Join(filepath.Dir(dir), "images"), err
}

func (i images) tell(step string) { i.display.Phase(progress.Phase{Text: step}) }

// node is the image of kind's nodes.
func (i images) node(ctx context.Context) (nodeimage.Image, error) {
	if err := requireRoot("assembling a node image"); err != nil {
		return nodeimage.Image{}, err
	}
	options, err := i.parts(ctx, append(nodeimage.Programs(), "kind")...)
	if err != nil {
		return nodeimage.Image{}, err
	}
	return nodeimage.Build(ctx, options)
}

// cilium is an image of Cilium's agent.
func (i images) cilium(ctx context.Context) (nodeimage.Image, error) {
	if err := requireRoot("assembling an image of Cilium's agent"); err != nil {
		return nodeimage.Image{}, err
	}
	options, err := i.parts(ctx, "cilium-agent", components.CiliumChart)
	if err != nil {
		return nodeimage.Image{}, err
	}
	return nodeimage.BuildCilium(ctx, options, components.VersionOf(components.CiliumChart))
}

// chart is what mode ebpf runs: Cilium by its Helm chart, with an image that can be
// had here.
func (i images) chart(ctx context.Context) (kind.Cilium, error) {
	parts, err := i.parts(ctx, components.CiliumChart)
	if err != nil {
		return kind.Cilium{}, err
	}
	at := func(folder string) string { return components.Beside(parts.Programs[components.CiliumChart], folder) }
	return kind.ChooseCilium(ctx, kind.Cilium{
		Chart: at(components.Chart), CRDs: at(components.CRDs), Version: components.VersionOf(components.CiliumChart),
	}, parts.Dir, i.cilium, i.tell)
}

// maxWorkers is more than any one machine has room for.
const maxWorkers = 50

// provider returns the provider of kind clusters for the modes.
func (i images) provider(ctx context.Context, asked string, workers int, modes []scenarios.Mode) (*kind.Provider, error) {
	if workers < 0 || workers > maxWorkers {
		return nil, failure.New(failure.Usage, fmt.Errorf("--workers %d must be between 0 and %d", workers, maxWorkers), "")
	}
	image, err := kind.ChooseImage(ctx, asked, i.node, i.tell)
	if err != nil {
		return nil, err
	}
	options := kind.Options{Image: image, Workers: workers, NoCilium: "nobody asked for its image"}
	if options.Agent, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	kept, err := i.folder()
	if err != nil {
		return nil, err
	}
	if options.Agents, err = nodeimage.BuildAgents(ctx, nodeimage.Options{Dir: kept, Report: i.tell}, options.Agent); err != nil {
		return nil, err
	}
	if !slices.Contains(modes, scenarios.EBPF) {
		return kind.New(options), nil
	}
	cilium, err := i.chart(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil: // the other modes can do without
		options.NoCilium = "Cilium cannot be deployed: " + err.Error()
	default:
		options.Cilium = &cilium
	}
	return kind.New(options), nil
}
