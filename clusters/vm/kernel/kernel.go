// Package kernel finds the kernel that a virtual machine boots: one of the
// distribution's packages, fetched through apt and unpacked into the cache,
// never installed; or any other that is named by its files.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"svcbench/internal/failure"
)

// Kernel is a kernel that can be booted.
type Kernel struct {
	// Name is what the user called it, such as "debian-6.1".
	Name string `json:"name"`
	// Package is the name and version of its package; empty if it has none.
	Package string `json:"package,omitempty"`
	// Release is what uname -r says in it.
	Release string `json:"release"`
	// Image is the path of the kernel itself.
	Image string `json:"image"`
	// Modules is the folder of its modules, with a modules.dep.
	Modules string `json:"modules"`
}

// String names the kernel with its package.
func (k Kernel) String() string {
	if k.Package == "" {
		return k.Name
	}
	return fmt.Sprintf("%s (%s)", k.Name, k.Package)
}

// debian is what names of Debian's kernels begin with; the rest is the series.
const debian = "debian-"

// Names returns the names under which kernels can be had from packages.
func Names() []string { return []string{debian + "6.1", debian + "6.12"} }

// Find returns the kernel called name: one of Names, or the path of a kernel,
// whose modules are then in the folder modules. Packages are kept in cache.
// What takes its time is told to notify.
func Find(ctx context.Context, name, modules, cache string, notify func(string)) (Kernel, error) {
	if filepath.IsAbs(name) {
		return given(name, modules)
	}
	series, ok := strings.CutPrefix(name, debian)
	if !ok {
		return Kernel{}, fmt.Errorf("no kernel is called %q", name)
	}
	k, err := fromPackage(ctx, series, cache, notify)
	if err != nil {
		return Kernel{}, fmt.Errorf("get kernel %s: %w", name, err)
	}
	k.Name = name
	return k, nil
}

// given checks the files that the user named.
func given(image, modules string) (Kernel, error) {
	k := Kernel{Name: image, Release: filepath.Base(modules), Image: image, Modules: modules}
	info, err := os.Stat(image)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", image)
	}
	if err != nil {
		return Kernel{}, failure.New(failure.Usage, fmt.Errorf("use kernel: %w", err), "name the kernel's file, such as kernel=/boot/vmlinuz-6.1.0-56-amd64")
	}
	if _, err := os.Stat(filepath.Join(modules, dependencies)); err != nil {
		err = fmt.Errorf("use modules of kernel %s: %w", image, err)
		if errors.Is(err, os.ErrNotExist) {
			return Kernel{}, failure.New(failure.Usage, err, "name their folder, such as modules=/lib/modules/VERSION; depmod makes the file")
		}
		return Kernel{}, failure.New(failure.Environment, err, "")
	}
	return k, nil
}
