package kind

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"svcbench/internal/chart"
	"svcbench/internal/failure"
	"svcbench/internal/nodeimage"
)

// assembler makes an image, for machines that have none and can pull none.
type assembler func(context.Context) (nodeimage.Image, error)

// ChooseImage returns an image of nodes that the container engine has: the one
// asked for; else the default of kind, if it is there or can be pulled; else the
// one that assemble returns, which it is asked for only then.
func ChooseImage(ctx context.Context, asked string, assemble assembler, tell func(string)) (string, error) {
	e, err := findEngine(ctx)
	if err != nil {
		return "", err
	}
	if asked != "" {
		if err := e.obtain(ctx, asked, "kind's nodes", tell); err != nil {
			return "", failure.New(failure.Environment, fmt.Errorf("node image %s: %w", asked, err), "name an image that is here or can be pulled, or none")
		}
		return asked, nil
	}
	pull := e.obtain(ctx, defaults.Image, "kind's nodes", tell)
	if pull == nil {
		return defaults.Image, nil
	}
	built, err := assemble.instead(ctx, pull)
	if err != nil {
		return "", err
	}
	if e.has(ctx, built.Ref) {
		return built.Ref, nil
	}
	tell("load the image of nodes")
	_, err = e.run(ctx, "load", "--quiet", "--input", built.Path)
	return built.Ref, err
}

// ChooseCilium returns what to run of Cilium: the image that the chart asks for, if
// the container engine has it or can pull it; else the one that assemble returns.
// The file with the image is kept in the folder dir. Of the Cilium that is given
// Chart, CRDs and Version are known.
func ChooseCilium(ctx context.Context, c Cilium, dir string, assemble assembler, tell func(string)) (Cilium, error) {
	e, err := findEngine(ctx)
	if err != nil {
		return c, err
	}
	if c.Image, err = chart.Image(c.Chart); err != nil {
		return c, fmt.Errorf("read the chart of Cilium: %w", err)
	}
	pull := e.obtain(ctx, c.Image, "Cilium", tell)
	if pull == nil {
		c.Archive, err = e.archive(ctx, c.Image, dir, tell)
		return c, err
	}
	built, err := assemble.instead(ctx, pull)
	c.Image, c.Archive = built.Ref, built.Path
	return c, err
}

// obtain pulls an image unless the engine has it.
func (e engine) obtain(ctx context.Context, image, of string, tell func(string)) error {
	if e.has(ctx, image) {
		return nil
	}
	tell("pull the image of " + of)
	_, err := e.run(ctx, "pull", "--quiet", image)
	return err
}

// instead assembles an image because another could not be pulled.
func (a assembler) instead(ctx context.Context, pull error) (nodeimage.Image, error) {
	if ctx.Err() != nil {
		return nodeimage.Image{}, context.Cause(ctx)
	}
	built, err := a(ctx)
	if err != nil {
		return built, errors.Join(err, pull)
	}
	return built, nil
}

// archive writes an image into a file from which nodes can load it, unless there
// is one already. Files with other versions of it are removed.
func (e engine) archive(ctx context.Context, image, dir string, tell func(string)) (string, error) {
	id, err := e.run(ctx, "image", "inspect", "--format={{.Id}}", image)
	if err != nil {
		return "", err
	}
	name, err := archiveName(string(id))
	if err != nil {
		return "", fmt.Errorf("identify %s: %w", image, err)
	}
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	tell("write the image " + image + " to a file")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of images: %w", err)
	}
	older, err := filepath.Glob(filepath.Join(dir, pulled+"*.tar"))
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "saving-")
	if err != nil {
		return "", fmt.Errorf("make a work folder: %w", err)
	}
	defer os.RemoveAll(work)
	saved, plain := filepath.Join(work, "saved.tar"), filepath.Join(work, "plain.tar")
	if _, err := e.run(ctx, "save", "--output", saved, image); err != nil {
		return "", err
	}
	if err := nodeimage.Repack(saved, plain, image); err != nil {
		return "", err
	}
	for _, name := range older {
		if err := os.Remove(name); err != nil {
			return "", err
		}
	}
	return file, os.Rename(plain, file)
}

// pulled begins the names of files with images that were pulled.
const pulled = "pulled-"

// archiveName is the name of the file for an image, by the identity that an engine
// gives it: a digest, with the name of its algorithm or without.
func archiveName(id string) (string, error) {
	digest := strings.TrimPrefix(strings.TrimSpace(id), "sha256:")
	if _, err := hex.DecodeString(digest); err != nil || len(digest) < 12 {
		return "", fmt.Errorf("%q is no digest", id)
	}
	return pulled + digest[:12] + ".tar", nil
}
