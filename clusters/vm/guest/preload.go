package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// preload brings files into the guest's memory, with the links that lead to
// them, so that nothing waits for the host later on: to open a file of the host
// is to ask it, even if its contents have been read before. What is not there
// is left out.
func preload(files []string) {
	for _, name := range files {
		_ = copyUp(name) // it is read from the host when it is needed
	}
}

// mostLinks is how many links a path may lead through, as in the kernel.
const mostLinks = 40

// copyUp makes the layer in memory hold a file and every link on the way to it.
// The layer takes over what is to be changed (Documentation/filesystems/
// overlayfs), even if the change is none: the owner stays the same.
func copyUp(path string) error {
	rest := strings.Split(filepath.Clean(path), "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		step := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(step)
		if err != nil {
			return err
		}
		if info.IsDir() {
			at = step
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			if err := os.Lchown(step, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = step
			continue
		}
		if links++; links > mostLinks {
			return fmt.Errorf("%s: too many links", path)
		}
		target, err := os.Readlink(step)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}
