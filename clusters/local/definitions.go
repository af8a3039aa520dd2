package local

import (
	"context"
	"fmt"

	"svcbench/clusters/crd"
)

// define makes the custom resources that the proxy needs, and returns when the
// API server serves them, or has died.
func (c *cluster) define(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not established after %v", patience))
	defer cancel()
	ctx, alive := c.Context(ctx)
	defer alive()
	c.proxy.defined, err = crd.Establish(ctx, c.api.Discovery().RESTClient(), c.proxy.program.Definitions)
	return err
}

// defined are the custom resources of the proxy.
func (c *cluster) defined() []crd.Definition {
	if c.proxy == nil {
		return nil
	}
	return c.proxy.defined
}
