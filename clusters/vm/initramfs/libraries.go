package initramfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// libraryFolders are where Debian and others keep shared libraries.
var libraryFolders = [...]string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
}

// WithLibraries returns programs and, after them, everything that the loader
// will read to run them: their interpreter and shared libraries. A file that
// is no ELF file needs nothing.
func WithLibraries(programs []string) ([]string, error) {
	all := slices.Clone(programs)
	for i := 0; i < len(all); i++ { // all grows
		needs, err := needsOf(all[i])
		if err != nil {
			return nil, fmt.Errorf("find libraries of %s: %w", all[i], err)
		}
		for _, n := range needs {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all, nil
}

// needsOf returns the paths of what one file names.
func needsOf(file string) ([]string, error) {
	f, err := elf.Open(file)
	if _, other := errors.AsType[*elf.FormatError](err); other || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var needs []string
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return nil, fmt.Errorf("read name of interpreter: %w", err)
		}
		needs = append(needs, string(bytes.TrimRight(name, "\x00")))
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return needs, nil // it is linked statically
	}
	folders := libraryFolders[:]
	// Programs with libraries of their own, such as clang, say where.
	if paths, err := f.DynString(elf.DT_RUNPATH); err == nil {
		for _, p := range paths {
			folders = append(filepath.SplitList(os.Expand(p, func(v string) string {
				if v == "ORIGIN" {
					return originOf(file)
				}
				return ""
			})), folders...)
		}
	}
	for _, library := range libraries {
		for _, folder := range folders {
			path := filepath.Join(folder, library)
			if _, err := os.Stat(path); err == nil {
				needs = append(needs, path)
				break
			}
		}
	}
	return needs, nil
}

// originOf is the folder of a file itself, not that of a link to it.
func originOf(file string) string {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	return filepath.Dir(file)
}
