package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"svcbench/internal/nodeimage"
)

// agentPath is where svcbench is, in pods and in nodes.
const agentPath = nodeimage.AgentPath

// loadAgents brings this program to every node as an image for pods, and to the
// client's as a file for what runs at the node itself.
func (c *cluster) loadAgents(ctx context.Context) error {
	all, err := c.kind.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range all {
		g.Go(func() error { return load(ctx, n, c.agents.Path) })
	}
	g.Go(func() error {
		_, err := c.engine.run(ctx, "cp", c.self, c.home().name+":"+agentPath)
		return err
	})
	return g.Wait()
}

// loadInto brings an image to one node.
func (c *cluster) loadInto(ctx context.Context, name, file string) error {
	all, err := c.kind.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.String() == name {
			return load(ctx, n, file)
		}
	}
	return fmt.Errorf("cluster %s has no node %s", c.name, name)
}

// load brings an image to a node.
func load(ctx context.Context, n nodes.Node, file string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	archive, err := os.Open(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := nodeutils.LoadImageArchive(n, archive); err != nil {
		return fmt.Errorf("load image %s into %s: %w", filepath.Base(file), n.String(), err)
	}
	return nil
}
