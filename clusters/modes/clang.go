package modes

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// leastClang is the oldest version of clang that Cilium accepts
// (Documentation/operations/system_requirements.rst).
var leastClang = [2]int{18, 1}

// findClang returns the path of a program called clang that is new enough:
// Cilium runs it by that name. Debian keeps one folder for each version.
func findClang(ctx context.Context, n Node) (string, error) {
	found := []string{}
	if path, err := exec.LookPath("clang"); err == nil {
		found = append(found, path)
	}
	packaged, _ := filepath.Glob("/usr/lib/llvm-*/bin/clang") // the pattern is sound
	slices.Sort(packaged)
	slices.Reverse(packaged)
	found = append(found, packaged...)
	var reasons []string
	for _, path := range found {
		out, err := n.Run(ctx, nil, path, "--version")
		if err == nil {
			err = checkClang(out)
		}
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", path, err))
	}
	if len(found) == 0 {
		return "", fmt.Errorf("clang: %w", exec.ErrNotFound)
	}
	return "", errors.New(strings.Join(reasons, "; ")) // in one line, as the answer of a probe
}

var clangVersion = regexp.MustCompile(`clang version ([0-9]+)\.([0-9]+)`)

// checkClang reads the output of "clang --version".
func checkClang(out []byte) error {
	m := clangVersion.FindSubmatch(out)
	if m == nil {
		return errors.New("it does not say its version")
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if slices.Compare([]int{major, minor}, leastClang[:]) < 0 {
		return fmt.Errorf("version %d.%d is too old: Cilium needs %d.%d", major, minor, leastClang[0], leastClang[1])
	}
	return nil
}
