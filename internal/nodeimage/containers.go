package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"svcbench/internal/failure"
)

// searchPath is the environment of every image.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// controlPlane are the programs that run as pods of their own, each in an image
// with nothing else.
func controlPlane() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// containers returns the images that a node must have, by the names under which
// kubeadm and containerd ask for them; pause is the name of the sandbox's.
func (b *builder) containers(ctx context.Context) (map[name.Reference]v1.Image, string, error) {
	b.Report("make the images of the control plane")
	names, err := b.imageNames(ctx)
	if err != nil {
		return nil, "", err
	}
	images := map[name.Reference]v1.Image{}
	for program, imageName := range names {
		image, err := b.container(ctx, program)
		if err != nil {
			return nil, "", fmt.Errorf("make image of %s: %w", program, err)
		}
		ref, err := name.NewTag(imageName)
		if err != nil {
			return nil, "", err
		}
		images[ref] = image
	}
	return images, names[pauseProgram], nil
}

// pauseProgram is what holds the namespaces of a pod.
const pauseProgram = "pause"

// sandbox finds the image of pods' sandboxes in containerd's configuration.
var sandbox = regexp.MustCompile(`(?m)^\s*sandbox(?:_image)?\s*=\s*"([^"]+)"`)

// imageNames returns the names of the images, by the program in them.
func (b *builder) imageNames(ctx context.Context) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, b.Programs["kubeadm"], "config", "images", "list", "--kubernetes-version", b.Kubernetes).Output()
	if err != nil {
		return nil, fmt.Errorf("ask kubeadm for the names of images: %w", err)
	}
	names := map[string]string{}
	for line := range strings.Lines(string(out)) {
		full := strings.TrimSpace(line)
		program := full[strings.LastIndex(full, "/")+1:]
		program, _, _ = strings.Cut(program, ":")
		if _, ours := b.Programs[program]; ours {
			names[program] = full
		}
	}
	for _, program := range append(controlPlane(), "etcd", "kube-proxy") {
		if names[program] == "" {
			return nil, fmt.Errorf("kubeadm names no image for %s", program)
		}
	}
	config, err := os.ReadFile(filepath.Join(b.Base, "etc", "containerd", "config.toml"))
	if err != nil {
		return nil, err
	}
	found := sandbox.FindSubmatch(config)
	if found == nil {
		return nil, errors.New("kind's configuration of containerd names no image for sandboxes")
	}
	names[pauseProgram] = string(found[1])
	return names, nil
}

// container makes the image of one program.
func (b *builder) container(ctx context.Context, program string) (v1.Image, error) {
	file := filepath.Join(b.work, "image-"+program+".tar")
	l, err := newLayer(file)
	if err != nil {
		return nil, err
	}
	at := "usr/local/bin/" + program
	l.text("etc/passwd", 0o644, "root:x:0:0:root:/root:/sbin/nologin\n")
	l.text("etc/group", 0o644, "root:x:0:\n")
	l.text("etc/nsswitch.conf", 0o644, "hosts: files dns\n")
	l.dir("tmp", 0o1777)
	config := v1.Config{Env: []string{searchPath}, Entrypoint: []string{"/" + at}}
	var layers []string
	switch program {
	case pauseProgram:
		// catatonit is the same for podman's pods: it waits, and reaps.
		from, err := exec.LookPath("catatonit")
		if err != nil {
			l.keep(failure.New(failure.Environment, err, "`make setup-kind` installs what is missing"))
		}
		l.copy(at, 0o755, from)
		config.Entrypoint = append(config.Entrypoint, "-P")
	case "kube-proxy":
		system, err := b.rootfs(ctx, "proxy", proxySystem())
		l.keep(err)
		layers = append(layers, system)
		for _, tool := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
			l.link("usr/sbin/"+tool, "xtables-nft-multi")
		}
		l.dir("run", 0o755)
		fallthrough
	default:
		l.copy(at, 0o755, b.Programs[program])
	}
	if err := l.close(); err != nil {
		return nil, err
	}
	return compose(config, append(layers, file)...)
}

// compose makes an image of layers.
func compose(config v1.Config, files ...string) (v1.Image, error) {
	image := empty.Image
	for _, file := range files {
		layer, err := newPlain(file)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
	}
	described, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	described = described.DeepCopy()
	described.Config, described.OS, described.Architecture = config, "linux", architecture()
	return mutate.ConfigFile(image, described)
}
