package local

import (
	"context"
	"fmt"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/netns"
	"svcbench/internal/process"
)

// place is a namespace of the cluster in which agents run.
type place struct {
	cluster *cluster
	at      clusters.At
	ns      *netns.Namespace
}

var _ agent.Launcher = (*place)(nil)

// Launch starts "svcbench agent NAME" in the namespace.
func (p *place) Launch(ctx context.Context, name string) (agent.Session, error) {
	child, err := p.cluster.launcher.Start(ctx, process.Spec{
		Name: fmt.Sprintf("agent %s at the %s", name, p.at), Path: p.cluster.self, Args: []string{"agent", name},
		Namespace: p.ns, Pipes: true, Log: p.cluster.log("agent-" + name),
	})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { child.Stop(0) })
	go func() {
		<-child.Done()
		stop()
	}()
	return child, nil
}

// Run runs a program at the place: what modes.Node asks for.
func (p *place) Run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	return p.cluster.launcher.Output(ctx, p.ns, stdin, program, args...)
}
