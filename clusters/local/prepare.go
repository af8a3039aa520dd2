package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/clusters/life"
)

var _ clusters.Carrier = (*Provider)(nil)

// prepared is the database of an etcd that has ended, or a control plane that
// goes on.
type prepared struct {
	database string // its folder
	// owner keeps the database from being taken for a leftover; nil if it is
	// not ours.
	owner *owner
	alive *cluster // nil if it has ended
}

// Close removes the database, or the control plane.
func (p *prepared) Close() error {
	if p.alive != nil {
		return p.alive.Close(context.Background())
	}
	if p.owner != nil {
		return p.owner.release()
	}
	return nil
}

func (o *owner) database() string { return filepath.Join(o.work, "etcd") }

// Prepare fills the API server of a control plane of its own, and keeps etcd's
// database, or the control plane itself.
func (p *Provider) Prepare(ctx context.Context, config clusters.Config, fill func(context.Context, kubernetes.Interface, clusters.Network) error) (clusters.Prepared, error) {
	kept, err := p.prepare(ctx, config, fill)
	if err != nil {
		return nil, fmt.Errorf("prepare API objects: %w", err)
	}
	return kept, nil
}

// Export copies the database.
func (p *Provider) Export(_ context.Context, objects clusters.Prepared, dir string) error {
	from, ok := objects.(*prepared)
	if !ok || from.alive != nil {
		return fmt.Errorf("export API objects: %T is no database of an etcd that has ended", objects)
	}
	if err := os.CopyFS(dir, os.DirFS(from.database)); err != nil {
		return fmt.Errorf("export API objects: %w", blameDisk(err, filepath.Dir(dir)))
	}
	return nil
}

// Import returns the database in dir or, with Options.KeepControlPlane, a
// control plane that has begun with a copy of it.
func (p *Provider) Import(ctx context.Context, config clusters.Config, dir string) (clusters.Prepared, error) {
	there := &prepared{database: dir}
	if !p.options.KeepControlPlane {
		return there, nil
	}
	config.Prepared = there
	kept, err := p.prepare(ctx, config, func(context.Context, kubernetes.Interface, clusters.Network) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("import API objects: %w", err)
	}
	return kept, nil
}

// prepare fills the API server of a control plane, which begins with the
// database of the Config, if there is one.
func (p *Provider) prepare(ctx context.Context, config clusters.Config, fill func(context.Context, kubernetes.Interface, clusters.Network) error) (*prepared, error) {
	c, err := p.newCluster(config)
	if err != nil {
		return nil, err
	}
	if err = life.Climb(ctx, c.controlPlane(), nil); err == nil {
		err = c.fill(ctx, fill)
	}
	kept := &prepared{database: c.owner.database(), owner: c.owner}
	switch {
	case err != nil:
	case p.options.KeepControlPlane:
		kept.alive = c
		err = c.keep(ctx)
	default:
		err = c.rest()
	}
	if err != nil {
		return nil, errors.Join(c.explain(err), c.Close(ctx))
	}
	return kept, nil
}

// fill calls f with a context that ends when a part of the cluster does.
func (c *cluster) fill(ctx context.Context, f func(context.Context, kubernetes.Interface, clusters.Network) error) error {
	ctx, cancel := c.Context(ctx)
	defer cancel()
	return f(ctx, c.api, c.Network())
}

// rest ends the cluster but keeps its database, and the owner of that. etcd is
// asked to end, so that its files are whole.
func (c *cluster) rest() error {
	const grace = time.Minute
	c.Calm()
	c.apiserver.Stop(0)
	c.etcd.Stop(grace)
	c.launcher.Close()
	if _, err := removeNamespaces(c.owner.prefix); err != nil {
		return err
	}
	if err := c.network.close(); err != nil {
		return err
	}
	// What the next cluster makes for itself should not lie about.
	for _, file := range []string{c.credentials.certFile, c.credentials.keyFile, c.credentials.saKeyFile, c.credentials.tokenFile, c.kubeconfig()} {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove credentials: %w", err)
		}
	}
	return nil
}

// takePrepared gives the cluster a copy of the database it is to begin with.
// Most of it is room that etcd has reserved: left out of the copy, it need not
// be written to the disk while something is measured.
func (c *cluster) takePrepared(ctx context.Context) error {
	if c.config.Prepared == nil {
		return nil
	}
	from, ok := c.config.Prepared.(*prepared)
	if !ok {
		return fmt.Errorf("%T was not prepared by provider %s", c.config.Prepared, Name)
	}
	_, err := c.launcher.Output(ctx, nil, nil, "cp", "--recursive", "--sparse=always", from.database, c.owner.database())
	if err != nil {
		return blameDisk(fmt.Errorf("copy database: %w", err), c.owner.work)
	}
	return nil
}
