package components

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// The folders that lie beside the program cilium-agent. Beside gives their
// paths.
const (
	// BPF has the sources of Cilium's data path, which cilium-agent compiles
	// with clang while it runs. It looks for them in the sub-folder bpf of its
	// --lib-dir and writes headers there: give every agent a copy.
	BPF = "bpf"
	// CRDs has the definitions of Cilium's API types as YAML files, one
	// sub-folder an API version: v2 and v2alpha1.
	CRDs = "crds"
	// Chart is a Helm chart.
	Chart = "chart"
	// ImageFiles has scripts that are in an image of Cilium's agent.
	ImageFiles = "image"
)

// Beside returns the path of a folder that belongs to a component, from the
// component's path as Ensure gives it. The folder is shared by all runs; when it
// changes, the module counts as damaged and is built again.
func Beside(program, folder string) string {
	return filepath.Join(filepath.Dir(program), folder)
}

// asset is a folder of a module's source that its programs need when they
// run. It is copied to a folder beside them.
type asset struct {
	// From is the folder in the module, To the name of the copy.
	From string `json:"from"`
	To   string `json:"to"`
	// LeaveOut are patterns of path.Match for what is not copied, relative to
	// From.
	LeaveOut []string `json:"leaveOut,omitempty"`
}

// copied is an asset as it was copied.
type copied struct {
	asset
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// sameAsset says whether two copies were to be of the same files.
func sameAsset(a, b copied) bool {
	return a.From == b.From && a.To == b.To && slices.Equal(a.LeaveOut, b.LeaveOut)
}

// copyAssets copies the assets of a module whose source lies in the folder
// source into the folder of its programs.
func copyAssets(ctx context.Context, source, work string, m module) ([]copied, error) {
	var all []copied
	for _, a := range m.assets {
		c, err := a.copy(ctx, source, work)
		if err != nil {
			return nil, fmt.Errorf("copy %s of its source: %w", a.From, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// copy copies an asset. Go's module cache is read-only; the copy is not.
func (a asset) copy(ctx context.Context, source, work string) (copied, error) {
	from, to := filepath.Join(source, filepath.FromSlash(a.From)), filepath.Join(work, a.To)
	err := filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		switch out, err := a.leavesOut(filepath.ToSlash(name)); {
		case err != nil:
			return err
		case out && entry.IsDir():
			return fs.SkipDir
		case out:
			return nil
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, 0o644)
	})
	if err != nil {
		return copied{}, err
	}
	c := copied{asset: a}
	c.Files, c.Bytes, err = measure(to)
	return c, err
}

func (a asset) leavesOut(name string) (bool, error) {
	for _, pattern := range a.LeaveOut {
		if match, err := path.Match(pattern, name); match || err != nil {
			return match, err
		}
	}
	return false, nil
}

// intact says whether the copy in the folder of the programs is as it was
// made.
func (c copied) intact(dir string) bool {
	files, bytes, err := measure(filepath.Join(dir, c.To))
	return err == nil && files == c.Files && bytes == c.Bytes
}

// measure counts the files in a folder, which may be a link to one, and their
// bytes. A folder without files is an error: no asset is empty.
func measure(dir string) (files int, bytes int64, err error) {
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return 0, 0, err
	}
	if !isDir(dir) {
		return 0, 0, fmt.Errorf("%s is not a folder", dir)
	}
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		return nil
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("%s has no files", dir)
	}
	return files, bytes, err
}
