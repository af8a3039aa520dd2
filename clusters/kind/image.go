package kind

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"svcbench/internal/failure"
	"svcbench/internal/nodeimage"
)

// ChooseImage returns an image of nodes that the container engine has: the one
// asked for; else the default of kind, if it is there or can be pulled; else the
// one that assemble returns, which it is asked for only then.
func ChooseImage(ctx context.Context, asked string, assemble func(context.Context) (nodeimage.Image, error), tell func(string)) (string, error) {
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
	tell("pull the image of kind's nodes")
	_, pull := e.run(ctx, "pull", "--quiet", wanted)
	switch {
	case pull == nil:
		return wanted, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case asked != "":
		return "", failure.New(failure.Environment, fmt.Errorf("node image %s: %w", asked, pull), "name an image that is here or can be pulled, or none")
	}
	tell("kind's image is not here and cannot be pulled: one is assembled")
	built, err := assemble(ctx)
	if err != nil {
		return "", errors.Join(err, pull)
	}
	if e.has(ctx, built.Ref) {
		return built.Ref, nil
	}
	tell("load the image of nodes")
	_, err = e.run(ctx, "load", "--quiet", "--input", built.Path)
	return built.Ref, err
}
