package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"svcbench/internal/failure"
	"svcbench/internal/nodeimage"
)

// ChooseImage returns the image of nodes that the container engine can run: the
// one asked for; else the default of kind if it is there or can be pulled; else
// the one that was assembled here, of which own are the parts.
func ChooseImage(ctx context.Context, asked string, own nodeimage.Options, tell func(string)) (string, error) {
	e, err := findEngine(ctx)
	if err != nil {
		return "", err
	}
	wanted := asked
	if wanted == "" {
		wanted = defaults.Image
	}
	if e.has(ctx, wanted) {
		return wanted, nil
	}
	built, missing := nodeimage.Find(own)
	if asked == "" && missing == nil && e.has(ctx, built.Ref) {
		return built.Ref, nil // no need to wait for a registry that was not there before
	}
	tell("pull the node image " + wanted)
	_, pull := e.run(ctx, "pull", wanted)
	switch {
	case pull == nil:
		return wanted, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case asked != "":
		return "", failure.New(failure.Environment, fmt.Errorf("node image %s: %w", asked, pull), "name an image that is here or can be pulled, or none")
	case errors.Is(missing, fs.ErrNotExist):
		return "", failure.New(failure.Environment, fmt.Errorf("no node image: %w", pull), "`svcbench components node-image` assembles one from Debian packages and Go modules")
	case missing != nil:
		return "", missing
	}
	tell("load the node image " + built.Ref)
	_, err = e.run(ctx, "load", "--input", built.Path)
	return built.Ref, err
}
