package nodeimage

import (
	"context"
	_ "embed" // of the guard
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// guard is the script in front of kind's entrypoint.
//
//go:embed guard.sh
var guard string

// guardPath is where it is in the image.
const guardPath = "usr/local/bin/svcbench-guard"

// nodePrograms are the programs of a node itself.
func nodePrograms() []string {
	return []string{"kubeadm", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr"}
}

// units are the services that a node starts.
func units() []string { return []string{"containerd", "kubelet", "undo-mount-hacks"} }

// nodeConfig is the image's configuration, that of kind's Dockerfile but for the
// guard.
func nodeConfig() v1.Config {
	return v1.Config{
		Env:        []string{"container=docker", searchPath},
		StopSignal: "SIGRTMIN+3",
		Entrypoint: []string{"/" + guardPath, "/usr/local/bin/entrypoint", "/sbin/init"},
	}
}

// nodeFiles returns the layer with what is neither Debian's nor an image.
func (b *builder) nodeFiles(ctx context.Context) (string, error) {
	b.Report("add kind's files and the programs of Kubernetes")
	file := filepath.Join(b.work, "files.tar")
	l, err := newLayer(file)
	if err != nil {
		return "", err
	}
	l.tree("", b.Base, func(name string) int64 {
		if strings.HasPrefix(name, "usr/local/bin/") || strings.HasPrefix(name, "kind/bin/") {
			return 0o755
		}
		return 0o644
	})
	for _, name := range nodePrograms() {
		l.copy(programPath(name), 0o755, b.Programs[name])
	}
	for _, plugin := range []string{"host-local", "loopback", "ptp", "portmap"} {
		l.link("opt/cni/bin/"+plugin, "/usr/lib/cni/"+plugin)
	}
	l.link("usr/local/sbin/runc", "/usr/sbin/runc")
	l.text(guardPath, 0o755, guard)
	l.text("kind/version", 0o644, b.Kubernetes)
	l.dir("etc/kubernetes/manifests", 0o755)
	l.text("etc/systemd/journald.conf.d/svcbench.conf", 0o644, "[Journal]\nReadKMsg=no\n")
	l.link("etc/systemd/system/systemd-binfmt.service", "/dev/null")
	for _, unit := range units() {
		if err := enable(l, b.Base, unit+".service"); err != nil {
			l.keep(err)
		}
	}
	spec, err := b.containerSpec(ctx)
	l.keep(err)
	l.text("etc/containerd/cri-base.json", 0o644, spec)
	return file, l.close()
}

// programPath is where kind expects a program of a node.
func programPath(name string) string {
	if strings.HasPrefix(name, "kube") {
		return "usr/bin/" + name
	}
	return "usr/local/bin/" + name
}

// enable does what "systemctl enable" would: it links a unit into the folders of
// those that want it.
func enable(l *layer, base, unit string) error {
	const folder = "etc/systemd/system"
	text, err := os.ReadFile(filepath.Join(base, folder, unit))
	if err != nil {
		return err
	}
	wanted := 0
	for line := range strings.Lines(string(text)) {
		by, ok := strings.CutPrefix(strings.TrimSpace(line), "WantedBy=")
		if !ok {
			continue
		}
		for _, target := range strings.Fields(by) {
			l.link(path.Join(folder, target+".wants", unit), "/"+path.Join(folder, unit))
			wanted++
		}
	}
	if wanted == 0 {
		return fmt.Errorf("nobody wants %s of kind's files", unit)
	}
	return nil
}

// containerSpec is what containers begin with: containerd's own template with
// kind's hook, and without limits that the machine might refuse.
func (b *builder) containerSpec(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, b.Programs["ctr"], "oci", "spec").Output()
	if err != nil {
		return "", fmt.Errorf("ctr oci spec: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(out, &spec); err != nil {
		return "", fmt.Errorf("ctr oci spec: %w", err)
	}
	if process, ok := spec["process"].(map[string]any); ok {
		delete(process, "rlimits")
	}
	spec["hooks"] = map[string]any{"createContainer": []any{map[string]any{"path": "/kind/bin/mount-product-files.sh"}}}
	text, err := json.Marshal(spec)
	return string(text), err
}
