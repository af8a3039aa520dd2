// Package initramfs builds what the kernel of a virtual machine unpacks into
// memory and runs first: svcbench itself, the modules it must load before it
// can see the host's files, and its job.
package initramfs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"

	"svcbench/clusters/vm/wire"
)

// Spec says what is in an initramfs.
type Spec struct {
	// Program is the path of svcbench; it becomes the first process.
	Program string
	// Tree is the folder of the kernel's modules.
	Tree string
	// Needed are the names of modules without which a guest cannot do its
	// job, Useful those it does without where the kernel lacks them. They
	// are loaded in this order.
	Needed, Useful []string
	// Job is what the guest is to do; Modules is filled in here.
	Job wire.Job
}

// Write writes the initramfs to a new file.
func Write(ctx context.Context, file string, s Spec) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make initramfs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	if err := write(ctx, buffered, s); err != nil {
		return fmt.Errorf("make initramfs: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("make initramfs: %w", err)
	}
	return nil
}

// write writes the archive: uncompressed, because unpacking would take an
// emulated processor longer than reading.
func write(ctx context.Context, w io.Writer, s Spec) error {
	t, err := readTree(s.Tree)
	if err != nil {
		return err
	}
	_, missing := t.resolve(s.Needed)
	if len(missing) > 0 {
		return fmt.Errorf("the kernel has no module %s (kernels for clouds lack 9p)", strings.Join(missing, ", "))
	}
	a := &archive{w: cpio.NewWriter(w), made: map[string]bool{}}
	modules, _ := t.resolve(slices.Concat(s.Needed, s.Useful))
	for _, file := range modules {
		content, err := t.read(ctx, file)
		if err != nil {
			return err
		}
		name := moduleName(file) + ".ko"
		s.Job.Modules = append(s.Job.Modules, name)
		if err := a.add(path.Join(wire.ModuleFolder, name), 0o644, content); err != nil {
			return err
		}
	}
	job, err := json.Marshal(s.Job)
	if err != nil {
		return fmt.Errorf("encode job: %w", err)
	}
	if err := a.add(wire.JobFile, 0o600, job); err != nil {
		return err
	}
	if err := a.program(s.Program); err != nil {
		return err
	}
	return a.w.Close()
}

// archive is a cpio archive under construction.
type archive struct {
	w    *cpio.Writer
	made map[string]bool // folders
}

// program adds svcbench and, if it is linked dynamically, its libraries.
func (a *archive) program(program string) error {
	files, err := WithLibraries([]string{program})
	if err != nil {
		return err
	}
	for i, file := range files {
		name := file
		if i == 0 {
			name = wire.ProgramFile
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := a.add(name, 0o755, content); err != nil {
			return err
		}
	}
	return nil
}

// add adds a file, with the folders it is in.
func (a *archive) add(name string, mode cpio.FileMode, content []byte) error {
	if err := a.folder(path.Dir(name)); err != nil {
		return err
	}
	header := &cpio.Header{Name: strings.TrimPrefix(name, "/"), Mode: cpio.TypeReg | mode, Size: int64(len(content))}
	if err := a.w.WriteHeader(header); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	if _, err := io.Copy(a.w, bytes.NewReader(content)); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	return nil
}

// folder adds a folder and those it is in, once.
func (a *archive) folder(name string) error {
	if name == "/" || name == "." || a.made[name] {
		return nil
	}
	if err := a.folder(path.Dir(name)); err != nil {
		return err
	}
	a.made[name] = true
	if err := a.w.WriteHeader(&cpio.Header{Name: strings.TrimPrefix(name, "/"), Mode: cpio.TypeDir | 0o755}); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	return nil
}
