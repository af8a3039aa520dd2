package kind

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"svcbench/internal/failure"
)

// agentArchive makes the image of agents, which holds this program and nothing
// else, and returns its name. The same program makes the same image.
func agentArchive(program, file string) (ref string, err error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	if err := static(text); err != nil {
		return "", failure.New(failure.Environment, fmt.Errorf("%s cannot run in a container: %w", program, err), "build it with CGO_ENABLED=0, as `make build` does")
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: agentPath[1:], Mode: 0o755, Size: int64(len(text))})
	if err == nil {
		_, err = w.Write(text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return "", err
	}
	image, err := mutate.AppendLayers(empty.Image, content)
	if err != nil {
		return "", err
	}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, Config: v1.Config{Entrypoint: []string{agentPath}},
		RootFS: rootFS(image),
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	tag, err := name.NewTag("svcbench/agents:" + hex.EncodeToString(sum[:])[:12])
	if err != nil {
		return "", err
	}
	return tag.String(), tarball.WriteToFile(file, tag, image)
}

// rootFS is what the image says of its layers.
func rootFS(image v1.Image) v1.RootFS {
	config, err := image.ConfigFile()
	if err != nil {
		return v1.RootFS{}
	}
	return config.RootFS
}

// static returns an error for a program that needs libraries to run.
func static(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked against libraries of this machine")
		}
	}
	return nil
}

// loadAgents brings this program to every node: as an image for pods, and as a
// file for what runs at the node itself.
func (c *cluster) loadAgents(ctx context.Context) (err error) {
	file := filepath.Join(c.work, "agents.tar")
	if c.agentImage, err = agentArchive(c.self, file); err != nil {
		return err
	}
	nodes, err := c.kind.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := c.load(ctx, n.String(), file); err != nil {
			return err
		}
		if _, err := c.engine.run(ctx, "cp", c.self, n.String()+":"+agentPath); err != nil {
			return err
		}
	}
	return nil
}

// load brings an image to a node.
func (c *cluster) load(ctx context.Context, node, file string) error {
	nodes, err := c.kind.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.String() != node {
			continue
		}
		archive, err := os.Open(file)
		if err != nil {
			return err
		}
		defer archive.Close()
		if err := nodeutils.LoadImageArchive(n, archive); err != nil {
			return fmt.Errorf("load image %s into %s: %w", filepath.Base(file), node, err)
		}
		return context.Cause(ctx)
	}
	return fmt.Errorf("cluster %s has no node %s", c.name, node)
}
