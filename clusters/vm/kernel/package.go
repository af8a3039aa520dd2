package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"svcbench/internal/failure"
)

// stampFile is in every unpacked package. It is written last, so that a
// folder that has it is whole.
const stampFile = "kernel.json"

// dependencies is the file that depmod makes.
const dependencies = "modules.dep"

// fromPackage returns the newest kernel of a series that apt offers. Where it
// cannot be had, the newest one in the cache does.
func fromPackage(ctx context.Context, series, cache string, notify func(string)) (Kernel, error) {
	offered, err := newest(ctx, series)
	if err == nil {
		var k Kernel
		if k, err = unpacked(filepath.Join(cache, offered.folder())); err == nil {
			return k, nil
		}
		if k, err = fetch(ctx, offered, cache, notify); err == nil {
			return k, nil
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return Kernel{}, cause
	}
	kept, found := newestKept(series, cache)
	if !found {
		return Kernel{}, failure.New(failure.Environment, err, "`apt-get update`, on a machine that reaches its package source, and then the same command again")
	}
	notify(fmt.Sprintf("! %s is used: a newer one cannot be had (%v)", kept.Package, err))
	return kept, nil
}

// unpacked reads what an earlier run has unpacked.
func unpacked(folder string) (Kernel, error) {
	var k Kernel
	b, err := os.ReadFile(filepath.Join(folder, stampFile))
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return k, fmt.Errorf("read %s: %w", filepath.Join(folder, stampFile), err)
	}
	// The cache may have been moved since.
	k.Image, k.Modules = filepath.Join(folder, k.Image), filepath.Join(folder, k.Modules)
	return k, nil
}

// newestKept returns the newest kernel of a series in the cache.
func newestKept(series, cache string) (newest Kernel, found bool) {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return newest, false
	}
	var best []int
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), "_")
		if !isImage(name, series) {
			continue
		}
		k, err := unpacked(filepath.Join(cache, e.Name()))
		if err != nil {
			continue
		}
		if v := numbers(e.Name()); !found || slices.Compare(v, best) > 0 {
			newest, best, found = k, v, true
		}
	}
	return newest, found
}

// fetch downloads and unpacks a package. Only one process does it at a time;
// the others then find what it made.
func fetch(ctx context.Context, p pkg, cache string, notify func(string)) (_ Kernel, err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("make cache of kernels: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	folder := filepath.Join(cache, p.folder())
	if k, err := unpacked(folder); err == nil {
		return k, nil
	}
	// What a killed process has left half done: the lock says that it is gone.
	temporary := filepath.Join(cache, ".unpacking")
	if err := os.RemoveAll(temporary); err != nil {
		return Kernel{}, fmt.Errorf("remove half an unpacked kernel: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("make folder for kernel: %w", err)
	}
	notify(fmt.Sprintf("download %s (once)", p))
	if err := p.unpackInto(ctx, temporary); err != nil {
		return Kernel{}, err
	}
	if err := os.RemoveAll(folder); err != nil { // without a stamp it is of no use
		return Kernel{}, fmt.Errorf("replace unpacked kernel: %w", err)
	}
	if err := os.Rename(temporary, folder); err != nil {
		return Kernel{}, fmt.Errorf("keep unpacked kernel: %w", err)
	}
	return unpacked(folder)
}

// unpackInto downloads and unpacks the package into an empty folder.
func (p pkg) unpackInto(ctx context.Context, folder string) error {
	if _, err := run(ctx, folder, "apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", p.name+"="+p.version); err != nil {
		return fmt.Errorf("download %s: %w", p, err)
	}
	archives, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("download %s: there are %d archives", p, len(archives))
	}
	if _, err := run(ctx, folder, "dpkg", "-x", archives[0], folder); err != nil {
		return fmt.Errorf("unpack %s: %w", p, err)
	}
	if err := os.Remove(archives[0]); err != nil {
		return fmt.Errorf("remove archive of %s: %w", p, err)
	}
	modules := filepath.Join("lib", "modules", p.release())
	if _, err := os.Stat(filepath.Join(folder, modules)); errors.Is(err, os.ErrNotExist) {
		modules = filepath.Join("usr", modules)
	}
	// The package leaves this to its installation script.
	if _, err := run(ctx, folder, "depmod", "-b", filepath.Join(folder, strings.TrimSuffix(modules, filepath.Join("lib", "modules", p.release()))), p.release()); err != nil {
		return fmt.Errorf("index modules of %s: %w", p, err)
	}
	k := Kernel{Package: p.String(), Release: p.release(), Image: filepath.Join("boot", "vmlinuz-"+p.release()), Modules: modules}
	plain := filepath.Join("boot", "vmlinux-"+p.release())
	switch err := uncompress(ctx, filepath.Join(folder, k.Image), filepath.Join(folder, plain)); {
	case err == nil:
		k.Image = plain
	case !errors.Is(err, errNoPayload): // else it boots as it is, slowly
		return fmt.Errorf("prepare kernel of %s: %w", p, err)
	}
	for _, file := range []string{k.Image, filepath.Join(k.Modules, dependencies)} {
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			return fmt.Errorf("look into %s: %w", p, err)
		}
	}
	b, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("describe %s: %w", p, err)
	}
	if err := os.WriteFile(filepath.Join(folder, stampFile), b, 0o644); err != nil {
		return fmt.Errorf("describe %s: %w", p, err)
	}
	return nil
}
