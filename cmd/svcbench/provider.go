package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"svcbench/clusters"
	"svcbench/clusters/local"
	"svcbench/internal/components"
	"svcbench/internal/failure"
	"svcbench/internal/progress"
	"svcbench/scenarios"
)

// programs says where the programs of a cluster come from.
type programs struct {
	dir string
	use string
}

// addUse gives cmd the flag for programs that are already on the machine.
func addUse(cmd *cobra.Command, p *programs, name string) {
	cmd.Flags().StringVar(&p.use, name, "", "folder with etcd, kube-apiserver, kube-proxy and cilium-agent to use instead of building them")
	completeFlag(cmd, name, completeFolder)
}

// folder is where components are built.
func (p *programs) folder() (string, error) {
	if p.dir != "" {
		return p.dir, nil
	}
	return components.DefaultDir()
}

// store returns the store of components.
func (p *programs) store() (*components.Store, error) {
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	store := components.NewStore(dir)
	if p.use != "" {
		store.UseDir(p.use)
		dir = p.use
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, failure.New(failure.Usage, fmt.Errorf("look for components: %s is not a folder", dir), "name a folder, or none")
	}
	return store, nil
}

// support says for every mode whether it runs here. Nothing has to be built
// for that.
func support(ctx context.Context) ([]clusters.Support, error) {
	if err := requireRoot("trying modes"); err != nil {
		return nil, err
	}
	return local.New(local.Options{}).Modes(ctx)
}

// requireRoot is an environment error for users who cannot do that.
func requireRoot(what string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return failure.New(failure.Environment, fmt.Errorf("%s needs root privileges", what), "run the same command with sudo")
}

// provider returns the local provider with its programs for the modes, which
// it builds where they are missing.
func (p *programs) provider(ctx context.Context, display progress.Display, modes ...scenarios.Mode) (clusters.Provider, error) {
	options, err := p.options(ctx, display, modes...)
	if err != nil {
		return nil, err
	}
	return local.New(options), nil
}

// options are those of the local provider: its programs for the modes, which
// are built where they are missing, and their versions. Without modes they are
// for all.
func (p *programs) options(ctx context.Context, display progress.Display, modes ...scenarios.Mode) (local.Options, error) {
	if len(modes) == 0 {
		modes = scenarios.Modes()
	}
	store, err := p.store()
	if err != nil {
		return local.Options{}, err
	}
	binaries, err := store.Ensure(ctx, local.Binaries(modes...), newBuildReport(display))
	if err != nil {
		return local.Options{}, err
	}
	all, err := store.Status(ctx)
	if err != nil {
		return local.Options{}, err
	}
	versions := map[string]string{}
	for _, s := range all {
		if _, ok := binaries[s.Name]; !ok {
			continue
		}
		versions[s.Name] = s.Found
		if s.Warning != "" {
			display.Line("! " + s.Warning)
		}
	}
	return local.Options{Binaries: binaries, Versions: versions}, nil
}

// newBuildReport returns a function that shows the building of components.
func newBuildReport(display progress.Display) func(components.Event) {
	var last components.Event
	return func(e components.Event) {
		if e.Phase == components.Done && last.Module != e.Module {
			return // it was there already
		}
		if e.Module != last.Module || e.Phase != last.Phase {
			display.Phase(progress.Phase{Text: buildText(e)})
		}
		last = e
		if e.Total > 0 {
			display.Detail(fmt.Sprintf("%d of %d", e.Done, e.Total))
		}
	}
}

func buildText(e components.Event) string {
	name := e.Module + " " + e.Version
	switch e.Phase {
	case components.Waiting:
		return fmt.Sprintf("wait for %s to build %s", e.Detail, name)
	case components.Download:
		return "download the source of " + name
	case components.Compile:
		return "compile packages of " + name + " (some minutes, once)"
	case components.Link:
		return "link " + name
	default:
		return name + " is built"
	}
}
