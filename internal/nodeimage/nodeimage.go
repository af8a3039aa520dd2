// Package nodeimage assembles the image of a kind node from Debian packages and
// programs built from Go modules, for machines that can pull none. It follows
// kind's own images/base/Dockerfile and pkg/build/nodeimage, and takes what it
// can from their source; no container runtime is needed to build it.
//
// The image differs from kind's in that it has no CoreDNS, no network plugin
// daemon and no storage provisioner: see clusters/kind.
package nodeimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Options say what an image is made of.
type Options struct {
	// Programs are the paths of the programs, by name; see Programs.
	Programs map[string]string
	// Kubernetes is their version, such as "v1.37.2".
	Kubernetes string
	// Base is the folder images/base/files of kind's source.
	Base string
	// Dir is where the image and its parts are kept.
	Dir string
	// Report is told what is being done; nil tells nobody.
	Report func(step string)
}

// Programs are the names of the programs that an image needs.
func Programs() []string {
	return slices.Concat(nodePrograms(), controlPlane(), []string{"etcd", "kube-proxy"})
}

// Image is an image in a file.
type Image struct {
	// Ref is its name, whose tag follows from what it is made of.
	Ref string
	// Path is a file that "docker load" takes.
	Path string
}

// repository is the name of the image, without the tag.
const repository = "svcbench/node"

// format is increased when the same parts make another image.
const format = 1

// Find returns the image with that content if it has been built, and
// fs.ErrNotExist if not.
func Find(o Options) (Image, error) {
	i, err := o.image()
	if err != nil {
		return Image{}, err
	}
	if _, err := os.Stat(i.Path); err != nil {
		return Image{}, err
	}
	return i, nil
}

// Build returns the image, and makes it if it is not there. Parts that were
// finished before an interruption are not made again.
func Build(ctx context.Context, o Options) (Image, error) {
	if i, err := Find(o); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return i, err
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	i, err := o.image()
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return Image{}, err
	}
	work, err := os.MkdirTemp(o.Dir, "building-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(work)
	b := &builder{Options: o, work: work}
	if err := b.build(ctx, i); err != nil {
		return Image{}, fmt.Errorf("build node image %s: %w", i.Ref, err)
	}
	return i, nil
}

// image names the image: its tag has the version of Kubernetes and a digest of
// everything it is made of but for the versions of Debian packages.
func (o Options) image() (Image, error) {
	h := sha256.New()
	fmt.Fprintln(h, format, o.Kubernetes, o.Base, nodeSystem(), proxySystem(), guard)
	for _, program := range Programs() {
		info, err := os.Stat(o.Programs[program])
		if err != nil {
			return Image{}, fmt.Errorf("program %s of the node image: %w", program, err)
		}
		fmt.Fprintln(h, program, o.Programs[program], info.Size(), info.ModTime().UnixNano())
	}
	tag := o.Kubernetes + "-" + hex.EncodeToString(h.Sum(nil))[:12]
	return Image{Ref: repository + ":" + tag, Path: filepath.Join(o.Dir, tag+".tar")}, nil
}

// builder is an image under way.
type builder struct {
	Options
	work string // a folder that is removed afterwards
}

// epoch is the time of everything in an image, so that the same content has
// the same digest.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

func (b *builder) build(ctx context.Context, i Image) error {
	system, err := b.rootfs(ctx, "node", nodeSystem())
	if err != nil {
		return err
	}
	images, pause, err := b.containers(ctx)
	if err != nil {
		return err
	}
	files, err := b.nodeFiles(ctx)
	if err != nil {
		return err
	}
	loaded, err := b.preload(ctx, images, pause)
	if err != nil {
		return err
	}
	image, err := compose(nodeConfig(), system, files, loaded)
	if err != nil {
		return err
	}
	b.Report("write the image")
	ref, err := name.NewTag(i.Ref, name.WithDefaultRegistry(""))
	if err != nil {
		return err
	}
	half := filepath.Join(b.work, "image.tar")
	if err := tarball.WriteToFile(half, ref, image); err != nil {
		return err
	}
	return b.replace(half, i.Path, "v*.tar")
}

// replace gives a finished file its name and removes those that it takes the
// place of: a gigabyte each, which nobody would use again.
func (b *builder) replace(half, file, older string) error {
	before, err := filepath.Glob(filepath.Join(b.Dir, older))
	if err != nil {
		return err
	}
	if err := os.Rename(half, file); err != nil {
		return err
	}
	for _, old := range before {
		if old == file {
			continue
		}
		if err := os.Remove(old); err != nil {
			return err
		}
	}
	return nil
}
