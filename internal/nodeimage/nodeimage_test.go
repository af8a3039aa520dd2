package nodeimage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// entries lists the names in a tar file, with what is in them or what they
// point to.
func entries(t *testing.T, file string) (names []string, content map[string]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content = map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch()) {
			t.Errorf("%s is of %v", h.Name, h.ModTime)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		content[h.Name] = string(text) + h.Linkname
	}
}

func TestFilter(t *testing.T) {
	var debian bytes.Buffer
	w := tar.NewWriter(&debian)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./"},
		{Typeflag: tar.TypeDir, Name: "./dev/"},
		{Typeflag: tar.TypeChar, Name: "./dev/null"},
		{Typeflag: tar.TypeDir, Name: "./usr/share/doc/"},
		{Typeflag: tar.TypeDir, Name: "./usr/share/doc/bash/"},
		{Typeflag: tar.TypeReg, Name: "./usr/share/doc/bash/copyright", Size: 1},
		{Typeflag: tar.TypeReg, Name: "./usr/bin/perl", Size: 2},
		{Typeflag: tar.TypeLink, Name: "./usr/bin/perl5", Linkname: "./usr/bin/perl"},
	} {
		h.ModTime = time.Now()
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "layer.tar")
	if err := (system{leaveOut: litter()}).filter(&debian, file); err != nil {
		t.Fatal(err)
	}
	names, content := entries(t, file)
	if want := []string{"./", "dev/", "usr/share/doc/", "usr/bin/perl", "usr/bin/perl5"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if content["usr/bin/perl5"] != "usr/bin/perl" {
		t.Errorf("the hard link leads to %q", content["usr/bin/perl5"])
	}
}

func TestLayer(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/systemd/system/kubelet.service": "[Install]\nWantedBy=multi-user.target other.target\n",
		"etc/systemd/system/lonely.service":  "[Unit]\n",
		"usr/local/bin/entrypoint":           "#!/bin/bash\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, "base", name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "base", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	make := func(file string) []byte {
		l, err := newLayer(file)
		if err != nil {
			t.Fatal(err)
		}
		l.tree("", filepath.Join(dir, "base"), func(string) int64 { return 0o644 })
		if err := enable(l, filepath.Join(dir, "base"), "kubelet.service"); err != nil {
			t.Error(err)
		}
		if err := enable(l, filepath.Join(dir, "base"), "lonely.service"); err == nil || !strings.Contains(err.Error(), "nobody wants lonely.service") {
			t.Errorf("enabled: %v", err)
		}
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	file := filepath.Join(dir, "one.tar")
	if !bytes.Equal(make(file), make(filepath.Join(dir, "two.tar"))) {
		t.Error("the same content makes two layers")
	}
	names, content := entries(t, file)
	for _, want := range []string{"etc/systemd/system/multi-user.target.wants/kubelet.service", "etc/systemd/system/other.target.wants/kubelet.service"} {
		if content[want] != "/etc/systemd/system/kubelet.service" {
			t.Errorf("%s leads to %q", want, content[want])
		}
	}
	if !slices.Contains(names, "usr/local/bin/") || slices.Index(names, "usr/") > slices.Index(names, "usr/local/") {
		t.Errorf("folders are missing or too late: %q", names)
	}
}

func TestSandbox(t *testing.T) {
	for _, config := range []string{
		"[plugins.x]\n  # use fixed sandbox image\n  sandbox_image = \"example.test/pause:3.10\"\n",
		"[plugins.x.pinned_images]\nsandbox = \"example.test/pause:3.10\"\n",
	} {
		if found := sandbox.FindStringSubmatch(config); found == nil || found[1] != "example.test/pause:3.10" {
			t.Errorf("found %q in %q", found, config)
		}
	}
}

func TestNameFollowsContent(t *testing.T) {
	dir := t.TempDir()
	o := Options{Programs: map[string]string{}, Kubernetes: "v1.2.3", Dir: dir}
	for _, program := range Programs() {
		o.Programs[program] = filepath.Join(dir, program)
		if err := os.WriteFile(o.Programs[program], []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	first, err := o.image()
	if err != nil || !strings.HasPrefix(first.Ref, "svcbench/node:v1.2.3-") {
		t.Fatalf("image %+v, %v", first, err)
	}
	if err := os.WriteFile(o.Programs["kubelet"], []byte("another kubelet"), 0o755); err != nil {
		t.Fatal(err)
	}
	if second, err := o.image(); err != nil || second.Ref == first.Ref {
		t.Errorf("another kubelet makes the same image %+v, %v", second, err)
	}
}
