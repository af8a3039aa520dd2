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
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"

	"svcbench/internal/failure"
)

// Options say what an image is made of.
type Options struct {
	// Programs are the paths of the programs, by name; see Programs.
	Programs map[string]string
	// Kubernetes is their version, such as "v1.37.2".
	Kubernetes string
	// Base is the folder images/base/files of kind's source.
	Base string
	// ImageFiles is the folder images/cilium of Cilium's source.
	ImageFiles string
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

// Build returns the image of nodes, and makes it if it is not there. Parts that
// were finished before an interruption are not made again.
func Build(ctx context.Context, o Options) (Image, error) {
	i, err := o.image()
	if err != nil {
		return Image{}, err
	}
	return i, o.make(ctx, i, (*builder).node)
}

// make makes an image unless it is there.
func (o Options) make(ctx context.Context, i Image, how func(*builder, context.Context, Image) error) error {
	if _, err := os.Stat(i.Path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of images: %w", err)
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	// With the lock, they are those of builds that were killed.
	stale, err := filepath.Glob(filepath.Join(o.Dir, "building-*"))
	for _, dir := range stale {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("remove what a killed build has left: %w", err)
	}
	work, err := os.MkdirTemp(o.Dir, "building-")
	if err != nil {
		return fmt.Errorf("make a work folder: %w", err)
	}
	defer os.RemoveAll(work)
	if err := how(&builder{Options: o, work: work}, ctx, i); err != nil {
		return fmt.Errorf("build image %s: %w", i.Ref, err)
	}
	return nil
}

// lock keeps others from building in a folder.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the folder of images: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, failure.New(failure.Environment, fmt.Errorf("lock the folder of images %s: %w", dir, err), "another svcbench is building an image: try again when it is done")
	}
	return func() { _ = f.Close() }, nil
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

// node makes the image of nodes.
func (b *builder) node(ctx context.Context, i Image) error {
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
	return b.write(i, image, "v*.tar")
}

// write writes an image into its file, in place of older ones.
func (b *builder) write(i Image, image v1.Image, older string) error {
	b.Report("write the image " + i.Ref)
	ref, err := name.NewTag(i.Ref, name.WithDefaultRegistry(""))
	if err != nil {
		return err
	}
	half := filepath.Join(b.work, "image.tar")
	if err := tarball.WriteToFile(half, ref, image); err != nil {
		return err
	}
	return b.replace(half, i.Path, older)
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
