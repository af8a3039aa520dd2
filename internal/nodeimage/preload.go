package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// architecture is the one of the programs that were built here.
func architecture() string { return runtime.GOARCH }

// quiet is a configuration of containerd with which it keeps images and does
// nothing else.
const quiet = `version = 3
root = %q
state = %q
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = %q
`

// preload returns the layer with containerd's store, which has the images.
func (b *builder) preload(ctx context.Context, images map[name.Reference]v1.Image, pause string) (_ string, err error) {
	b.Report("load the images into the node's containerd")
	archive := filepath.Join(b.work, "images.tar")
	if err := tarball.MultiRefWriteToFile(archive, images); err != nil {
		return "", err
	}
	root, socket := filepath.Join(b.work, "containerd"), filepath.Join(b.work, "sock")
	config := filepath.Join(b.work, "containerd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, quiet, root, filepath.Join(b.work, "state"), socket), 0o644); err != nil {
		return "", err
	}
	daemon := exec.CommandContext(ctx, b.Programs["containerd"], "--config", config)
	daemon.WaitDelay = 10 * time.Second
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	log, err := os.Create(filepath.Join(b.work, "containerd.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		return "", err
	}
	err = b.fill(ctx, socket, archive)
	_ = daemon.Cancel()
	ended := daemon.Wait()
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		text, _ := os.ReadFile(log.Name())
		return "", fmt.Errorf("load images into containerd: %w (%v): %s", err, ended, lastLines(string(text), 3))
	}
	return b.store(root)
}

// fill imports the images into a containerd as soon as that answers.
func (b *builder) fill(ctx context.Context, socket, archive string) error {
	ctr := func(args ...string) error {
		out, err := exec.CommandContext(ctx, b.Programs["ctr"], append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ctr %s: %w: %s", args[0], err, lastLines(string(out), 3))
		}
		return nil
	}
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); ; {
		err := ctr("version")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctr("images", "import", "--label=io.cri-containerd.pinned=pinned", "--all-platforms", "--no-unpack", archive)
}

// store makes the layer of containerd's folder.
func (b *builder) store(root string) (string, error) {
	file := filepath.Join(b.work, "store.tar")
	l, err := newLayer(file)
	if err != nil {
		return "", err
	}
	const at = "var/lib/containerd/"
	for _, part := range []string{"io.containerd.content.v1.content", "io.containerd.metadata.v1.bolt"} {
		l.tree(at+part, filepath.Join(root, part), func(string) int64 { return 0o644 })
	}
	return file, l.close()
}
