package initramfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"svcbench/internal/process"
)

// tree is the folder of a kernel's modules.
type tree struct {
	dir string
	// needs maps a module's name to its file, below dir, and those of the
	// modules it needs.
	needs map[string][]string
	// builtin are the names of modules that are part of the kernel.
	builtin map[string]bool
}

// readTree reads what depmod has found out about a folder of modules.
func readTree(dir string) (*tree, error) {
	t := &tree{dir: dir, needs: map[string][]string{}, builtin: map[string]bool{}}
	listed, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("read dependencies of modules: %w", err)
	}
	for line := range strings.Lines(string(listed)) {
		file, needs, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			t.needs[moduleName(file)] = append([]string{file}, strings.Fields(needs)...)
		}
	}
	listed, err = os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read names of modules in the kernel: %w", err)
	}
	for line := range strings.Lines(string(listed)) {
		t.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	return t, nil
}

// moduleName is the name of the module in a file: names know no hyphens.
func moduleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// resolve returns the files of modules and of all that they need, in an order
// in which they can be loaded, and the names that the kernel does not have.
func (t *tree) resolve(names []string) (files, missing []string) {
	var load func(name string)
	load = func(name string) {
		needs, ok := t.needs[name]
		if !ok || slices.Contains(files, needs[0]) {
			return
		}
		for _, n := range needs[1:] {
			load(moduleName(n))
		}
		files = append(files, needs[0])
	}
	for _, name := range names {
		name = moduleName(name)
		if _, ok := t.needs[name]; !ok && !t.builtin[name] {
			missing = append(missing, name)
			continue
		}
		load(name)
	}
	return files, missing
}

// read returns a module as the kernel takes it: not compressed.
func (t *tree) read(ctx context.Context, file string) ([]byte, error) {
	name := filepath.Join(t.dir, file)
	program, compressed := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(file)]
	if !compressed {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read module: %w", err)
		}
		return b, nil
	}
	found, err := process.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("unpack module %s: %w", name, err)
	}
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, found, "-dc", name)
	cmd.Stderr = &complaint
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("unpack module %s: %w: %s", name, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return b, nil
}
