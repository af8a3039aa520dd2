package nodeimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"svcbench/internal/components"
)

// Where things are in an image of Cilium's agent: where they are in Cilium's own.
const (
	ciliumAgent   = "usr/bin/cilium-agent"
	ciliumLibrary = "var/lib/cilium"
	ciliumInit    = "init-container.sh"
)

// ciliumFormat is increased when the same parts make another image.
const ciliumFormat = 2

// ciliumProgram is the name of the component.
const ciliumProgram = "cilium-agent"

// ciliumSystem is what the agent runs: the compiler of its data path, the tools by
// which it looks at the node, and what the pods of its Helm chart begin with.
func ciliumSystem() system {
	return system{
		variant:  "extract",
		packages: []string{"clang-19", "iptables", "iproute2", "kmod", "mount", "util-linux", "libc-bin", "bash", "dash", "grep"},
		leaveOut: append(litter(), "usr/share/*", "usr/include/*", "usr/lib/*/perl*", "usr/lib/gcc/*", "usr/lib/llvm-19/include/*", "usr/lib/llvm-19/share/*",
			"usr/lib/*/*.a", "usr/lib/llvm-19/lib/*.a", "var/lib/dpkg", "var/lib/apt", "etc/apt",
			// What compiles for other machines than BPF's. Every node loads the
			// image before it can be measured.
			"usr/lib/*/libclang-19.so*", "usr/lib/*/lib*san.so*", "usr/lib/llvm-19/lib/LLVMPolly.so", "usr/bin/*-linux-gnu-*",
			"usr/lib/*/libbfd*", "usr/lib/*/libopcodes*", "usr/lib/*/libgprofng*", "usr/lib/*/gprofng"),
	}
}

// BuildCilium returns the image of Cilium's agent and makes it if it is not there.
// Of the Options it needs the program cilium-agent and no others, and ImageFiles;
// its version is the image's tag.
func BuildCilium(ctx context.Context, o Options, version string) (Image, error) {
	info, err := os.Stat(o.Programs[ciliumProgram])
	if err != nil {
		return Image{}, fmt.Errorf("image of Cilium: %w", err)
	}
	h := sha256.New()
	fmt.Fprintln(h, ciliumFormat, ciliumSystem(), info.Size(), info.ModTime().UnixNano())
	tag := version + "-" + hex.EncodeToString(h.Sum(nil))[:12]
	i := Image{Ref: "svcbench/cilium:" + tag, Path: filepath.Join(o.Dir, "cilium-"+tag+".tar")}
	return i, o.make(ctx, i, (*builder).cilium)
}

// cilium writes the image of the agent.
func (b *builder) cilium(ctx context.Context, i Image) error {
	system, err := b.rootfs(ctx, "cilium", ciliumSystem())
	if err != nil {
		return err
	}
	file := filepath.Join(b.work, "files.tar")
	l, err := newLayer(file)
	if err != nil {
		return err
	}
	l.copy(ciliumAgent, 0o755, b.Programs[ciliumProgram])
	l.copy(ciliumInit, 0o755, filepath.Join(b.ImageFiles, ciliumInit))
	l.tree(path.Join(ciliumLibrary, components.BPF), components.Beside(b.Programs[ciliumProgram], components.BPF), func(string) int64 { return 0o644 })
	// The agent runs it by that name.
	l.link("usr/bin/clang", "../lib/llvm-19/bin/clang")
	for _, tool := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		l.link("usr/sbin/"+tool, "xtables-nft-multi")
	}
	l.dir("run", 0o755)
	l.dir("tmp", 0o1777)
	if err := l.close(); err != nil {
		return err
	}
	image, err := compose(v1.Config{Env: []string{searchPath}, Entrypoint: []string{"/" + ciliumAgent}}, system, file)
	if err != nil {
		return err
	}
	return b.write(i, image, "cilium-*.tar")
}
