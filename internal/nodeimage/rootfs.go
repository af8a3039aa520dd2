package nodeimage

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"svcbench/internal/failure"
)

// system is a file system of Debian packages.
type system struct {
	// variant is mmdebstrap's: "minbase" is a system that works, "extract"
	// no more than the files of packages.
	variant  string
	packages []string
	// leaveOut are patterns of path.Match for what is not in the image, and
	// nothing below it.
	leaveOut []string
}

// nodeSystem is the system of a node: the packages of kind's base image, and the
// container runtime's parts that Debian has.
func nodeSystem() system {
	return system{
		variant: "minbase",
		packages: []string{
			"systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount",
			"kmod", "libseccomp2", "e2fsprogs", "bash", "ca-certificates", "curl", "jq", "procps", "hostname", "ipset", "ipvsadm", "findutils",
			"runc", "containernetworking-plugins",
		},
		// As kind's Dockerfile trims systemd: nothing starts but what a node is.
		leaveOut: append(litter(),
			"usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
			"usr/lib/systemd/system/multi-user.target.wants/*", "etc/systemd/system/*.wants/*",
			"usr/lib/systemd/system/local-fs.target.wants/*", "usr/lib/systemd/system/basic.target.wants/*",
			"usr/lib/systemd/system/sockets.target.wants/*udev*", "usr/lib/systemd/system/sockets.target.wants/*initctl*",
		),
	}
}

// proxySystem is what kube-proxy's container needs beside the program.
func proxySystem() system {
	return system{
		variant:  "extract",
		packages: []string{"iptables", "nftables", "ipset", "conntrack", "kmod", "libc-bin"},
		leaveOut: append(litter(), "usr/share/*", "usr/lib/*/perl*", "var/lib/dpkg", "var/lib/apt", "etc/apt"),
	}
}

// litter is what no image needs.
func litter() []string {
	return []string{
		"dev/*", "var/lib/apt/lists/*", "var/cache/apt/*", "var/log/*", "tmp/*",
		"usr/share/man/*", "usr/share/doc/*", "usr/share/locale/*", "usr/share/info/*",
	}
}

// rootfs returns the layer of a system. It is kept for as long as the machine's
// sources of packages and the system stay the same.
func (b *builder) rootfs(ctx context.Context, called string, s system) (string, error) {
	sources, err := debianSources(ctx)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, format, s, sources)
	layer := filepath.Join(b.Dir, "debian-"+called+"-"+hex.EncodeToString(h.Sum(nil))[:12]+".tar")
	if _, err := os.Stat(layer); err == nil {
		return layer, nil
	}
	b.Report("install Debian packages for the " + called)
	half := filepath.Join(b.work, called+".tar")
	if err := s.install(ctx, sources, half); err != nil {
		return "", fmt.Errorf("install Debian packages for the %s: %w", called, err)
	}
	return layer, b.replace(half, layer, "debian-"+called+"-*.tar")
}

// debianSources returns the package sources that this machine's apt has for
// Debian, in the form of a sources.list, the release before its updates. What
// third parties offer here is not for the image.
func debianSources(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return "", failure.New(failure.Environment, fmt.Errorf("ask apt for its sources: %w", err), "node images are built on Debian; elsewhere use one that can be pulled")
	}
	var base, others strings.Builder
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) == 4 && f[0] == "Debian" {
			list := &others
			if !strings.Contains(f[2], "-") { // neither updates nor security
				list = &base
			}
			fmt.Fprintf(list, "deb %s %s %s\n", f[1], f[2], f[3])
		}
	}
	if base.Len() == 0 {
		return "", failure.New(failure.Environment, errors.New("apt has no lists of Debian's packages"), "`apt-get update`, and then the same command again")
	}
	return base.String() + others.String(), nil
}

// install writes the file system into a tar file.
func (s system) install(ctx context.Context, sources, file string) error {
	release := strings.Fields(sources)[2] // that of the machine comes first
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--mode=root", "--variant="+s.variant, "--include="+strings.Join(s.packages, ","),
		`--aptopt=Acquire::Check-Valid-Until "false"`, "--format=tar", "--quiet", release, "-", "-")
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0")
	cmd.Stdin = strings.NewReader(sources)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second // it cleans up
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stream, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return failure.New(failure.Environment, err, "`make setup-kind` installs what is missing")
	}
	filtered := s.filter(stream, file)
	if filtered != nil {
		_ = cmd.Cancel()
	}
	switch err := cmd.Wait(); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case filtered != nil:
		return filtered
	case err != nil:
		return fmt.Errorf("mmdebstrap: %w: %s", err, lastLines(complaints.String(), 5))
	}
	return nil
}

// filter copies a tar stream into a file, without what is left out and with
// the same time everywhere.
func (s system) filter(from io.Reader, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	r, w := tar.NewReader(from), tar.NewWriter(buffered)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(w.Close(), buffered.Flush())
		}
		if err != nil {
			return err
		}
		entry := strings.Trim(path.Clean(h.Name), "/")
		out, err := s.leavesOut(entry)
		if err != nil {
			return err
		}
		if out {
			continue
		}
		h.Name, h.ModTime, h.AccessTime, h.ChangeTime, h.Format = entry, epoch(), time.Time{}, time.Time{}, tar.FormatUnknown
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = strings.Trim(path.Clean(h.Linkname), "/")
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
}

// leavesOut reports whether an entry or a folder it is in matches a pattern.
func (s system) leavesOut(entry string) (bool, error) {
	for ; entry != "." && entry != "/" && entry != ""; entry = path.Dir(entry) {
		for _, pattern := range s.leaveOut {
			if match, err := path.Match(pattern, entry); match || err != nil {
				return match, err
			}
		}
	}
	return false, nil
}

// lastLines returns the last n lines of a text, in one.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
