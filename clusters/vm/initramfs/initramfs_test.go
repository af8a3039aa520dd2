package initramfs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"svcbench/clusters/vm/wire"
)

// modules makes a folder of modules like a kernel's.
func modules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"modules.dep": "kernel/a.ko: kernel/b-c.ko.xz kernel/d.ko\nkernel/b-c.ko.xz: kernel/d.ko\nkernel/d.ko:\nkernel/e.ko:\n",
		// What is built in needs no file.
		"modules.builtin": "kernel/fs/in.ko\n",
		"kernel/a.ko":     "module a", "kernel/d.ko": "module d", "kernel/e.ko": "module e", "kernel/b-c.ko": "module b",
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command("xz", filepath.Join(dir, "kernel", "b-c.ko")).Run(); errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no xz here, which this kernel's modules need")
	} else if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestResolve(t *testing.T) {
	tree, err := readTree(modules(t))
	if err != nil {
		t.Fatal(err)
	}
	files, missing := tree.resolve([]string{"in", "a", "b_c", "b-c", "none", "e"})
	if want := []string{"kernel/d.ko", "kernel/b-c.ko.xz", "kernel/a.ko", "kernel/e.ko"}; !slices.Equal(files, want) {
		t.Errorf("files are %v, want %v", files, want)
	}
	if !slices.Equal(missing, []string{"none"}) {
		t.Errorf("missing are %v", missing)
	}
}

// TestWrite reads back what was written.
func TestWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "initramfs")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Program: program, Tree: modules(t), Needed: []string{"in", "a"}, Useful: []string{"none", "e"}, Job: wire.Job{Program: program}}
	if err := Write(t.Context(), file, spec); err != nil {
		t.Fatal(err)
	}
	got := archived(t, file)
	want := map[string]string{
		"svcbench": "#!", "modules/d.ko": "module d", "modules/b_c.ko": "module b", "modules/a.ko": "module a", "modules/e.ko": "module e", "modules": "",
	}
	for name, content := range want {
		if found, ok := got[name]; !ok || found != content {
			t.Errorf("%s holds %q, %v; want %q", name, found, ok, content)
		}
	}
	var job wire.Job
	if err := json.Unmarshal([]byte(got["job.json"]), &job); err != nil {
		t.Fatal(err)
	}
	if want := []string{"d.ko", "b_c.ko", "a.ko", "e.ko"}; !slices.Equal(job.Modules, want) || job.Program != program {
		t.Errorf("job is %+v, want modules %v", job, want)
	}
	spec.Needed = append(spec.Needed, "none")
	err := Write(t.Context(), file+"2", spec)
	if err == nil || !strings.Contains(err.Error(), "no module none") {
		t.Errorf("a kernel without a needed module gives: %v", err)
	}
}

// archived returns the content of an archive's files, by name.
func archived(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string]string{}
	for r := cpio.NewReader(f); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

// TestWithLibraries finds what a program of the distribution needs.
func TestWithLibraries(t *testing.T) {
	all, err := WithLibraries([]string{"/bin/sh"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"/ld-linux", "/libc.so"} {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, part) }) && len(all) > 1 {
			t.Errorf("%v has no %s", all, part)
		}
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if all, err := WithLibraries([]string{script}); err != nil || len(all) != 1 {
		t.Errorf("a script needs %v, %v", all, err)
	}
}
