package local

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/agent"
	"svcbench/internal/netns"
	"svcbench/internal/process"
)

// place is a namespace of the cluster in which agents run.
type place struct {
	cluster *cluster
	at      clusters.At
	ns      *netns.Namespace
	proxy   *proxy // at the node; nil before there is one
}

var _ agent.Launcher = (*place)(nil)

// Launch starts "svcbench agent NAME" in the namespace.
func (p *place) Launch(ctx context.Context, name string) (agent.Session, error) {
	child, err := p.cluster.launcher.Start(ctx, process.Spec{
		Name: fmt.Sprintf("agent %s at the %s", name, p.at), Path: p.cluster.self, Args: []string{"agent", name},
		Namespace: p.ns, Cgroup: p.cgroup(), Pipes: true, Log: p.cluster.log("agent-" + name), Env: p.environment(),
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

// environment keeps the Go runtime of an agent from its worst habit where there
// is one processor. A goroutine in a system call, such as the connect that is
// measured, keeps nobody from running there; but the runtime's monitor takes the
// place of one that is in it for 20 us and more, and wakes threads to give it
// to. While there is a second place that nobody needs, it leaves that alone for
// 10 ms (runtime.retake).
func (p *place) environment() []string {
	if runtime.NumCPU() > 1 {
		return nil
	}
	return []string{"GOMAXPROCS=2"}
}

// Run runs a program at the place: what modes.Node asks for.
func (p *place) Run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	return p.cluster.launcher.Output(ctx, p.ns, stdin, program, args...)
}

// cgroup is where agents of the place run: clients are what a proxy that
// translates inside connect() has to reach.
func (p *place) cgroup() string {
	if p.at != clusters.AtClient || p.cluster.proxy == nil || p.cluster.proxy.program.Cgroup != modes.ClientCgroup {
		return ""
	}
	return p.cluster.proxy.cgroup.Dir()
}

// Path is where a file of the proxy's folder is: what it has mounted there is
// reached through its launcher, also after it was stopped.
func (p *place) Path(name string) string {
	return filepath.Join(p.proxy.launcher.Root(), p.proxy.dir(), name)
}
