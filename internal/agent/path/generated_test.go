package path

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGenerated checks that the committed object is what the C source compiles
// to, with the very command that gen.go holds.
func TestGenerated(t *testing.T) {
	command := generateCommand(t)
	for _, tool := range []string{"go", argumentOf(t, command, "-cc"), argumentOf(t, command, "-strip")} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("cannot compile the BPF source: %v", err)
		}
	}
	dir := t.TempDir()
	for _, source := range []string{"path.bpf.c", "kernel.h"} {
		copyFile(t, source, filepath.Join(dir, source))
	}
	// The object holds the path of its source relative to where the tool
	// runs, so it has to run there, outside of this module.
	tool := filepath.Join(dir, "bpf2go")
	run(t, ".", "go", "build", "-o", tool, "github.com/cilium/ebpf/cmd/bpf2go")
	run(t, dir, tool, command...)
	for _, name := range []string{"bpf_bpfel.o", "bpf_bpfel.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s does not belong to path.bpf.c: run go generate ./internal/agent/path", name)
		}
	}
}

// run runs a command in a folder.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPACKAGE=path", "GOFILE=gen.go")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// generateCommand returns the arguments gen.go gives to bpf2go.
func generateCommand(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("gen.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "//go:generate go tool bpf2go "); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatal("gen.go has no go:generate line for bpf2go")
	return nil
}

func argumentOf(t *testing.T, words []string, flag string) string {
	t.Helper()
	for i, word := range words[:len(words)-1] {
		if word == flag {
			return words[i+1]
		}
	}
	t.Fatalf("%q has no %s", words, flag)
	return ""
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
