package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"svcbench/internal/failure"
)

const stampFile = "stamp.json"

// stamp lies beside the programs of a module and says how they were built.
// It is written last, and the folder is moved to its place only then.
type stamp struct {
	Module    string `json:"module"`
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"`
	// Pins is the SHA-256 of go.mod and go.sum.
	Pins     string           `json:"pins"`
	Flags    []string         `json:"flags"`
	BuiltAt  time.Time        `json:"builtAt"`
	Seconds  float64          `json:"seconds"`
	Programs map[string]int64 `json:"programs"` // their sizes in bytes
	Assets   []copied         `json:"assets,omitempty"`
}

// checked is a module as it was found in the store.
type checked struct {
	stamp stamp
	state State
	// because says why the programs have to be built; empty: they are good.
	because string
	// warning says what could not be compared.
	warning string
}

// expected returns the stamp of a module as this svcbench would build it,
// without what only a build can tell, such as sizes.
func expected(m module, goVersion string) stamp {
	h := sha256.New()
	h.Write(m.mod)
	h.Write([]byte{0})
	h.Write(m.sum)
	var assets []copied
	for _, a := range m.assets {
		assets = append(assets, copied{asset: a})
	}
	return stamp{
		Module:    m.path,
		Version:   m.version,
		GoVersion: goVersion,
		Pins:      hex.EncodeToString(h.Sum(nil)),
		Flags:     append(buildEnv(), buildFlags(m)...),
		Assets:    assets,
	}
}

// check compares the programs of a module in the store with what would be
// built. gocmd may be nil: without Go nothing could be built again, so
// programs are good whatever version of Go they were built with.
func (s *Store) check(ctx context.Context, m module, gocmd *goCommand) (checked, error) {
	dir := filepath.Join(s.dir, m.folder())
	missing := checked{state: Missing, because: "never built"}
	text, err := os.ReadFile(filepath.Join(dir, stampFile))
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, failure.New(failure.Environment, fmt.Errorf("read how it was built: %w", err), nextStep("", err.Error(), s.dir))
	}
	found := checked{state: Stale}
	if err := json.Unmarshal(text, &found.stamp); err != nil {
		found.because = "its " + stampFile + " cannot be read"
		return found, nil
	}
	if damaged := found.stamp.damaged(dir, m); damaged != "" {
		found.because = damaged + " is not as it was built"
		return found, nil
	}
	version := found.stamp.GoVersion
	if gocmd != nil {
		now, err := gocmd.version(ctx, dir)
		switch {
		case err == nil:
			version = now
		case ctx.Err() != nil:
			return found, context.Cause(ctx)
		default:
			found.warning = "cannot tell whether Go is still the same: " + err.Error()
		}
	}
	if found.because = found.stamp.differs(expected(m, version)); found.because == "" {
		found.state = Ready
	}
	return found, nil
}

// damaged names a program of m, or a folder beside it, that is not in dir as
// the stamp says; empty: all are.
func (s stamp) damaged(dir string, m module) string {
	for _, p := range m.programs {
		info, err := os.Stat(filepath.Join(dir, p.name))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || info.Size() != s.Programs[p.name] {
			return p.name
		}
	}
	for _, c := range s.Assets {
		if !c.intact(dir) {
			return c.To
		}
	}
	return ""
}

// differs says in which way s, found in the store, is not what is wanted.
func (s stamp) differs(want stamp) string {
	switch {
	case s.Module != want.Module || s.Version != want.Version:
		return fmt.Sprintf("it is %s %s", s.Module, s.Version)
	case s.GoVersion != want.GoVersion:
		return fmt.Sprintf("built with %s, Go is now %s", s.GoVersion, want.GoVersion)
	case s.Pins != want.Pins:
		return "its dependencies are pinned differently now"
	case !slices.Equal(s.Flags, want.Flags):
		return "built with other flags"
	case !slices.EqualFunc(s.Assets, want.Assets, sameAsset):
		return "other files of its source are wanted now"
	}
	return ""
}

// write writes the stamp into the folder of the programs it is about.
func (s stamp) write(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode stamp: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, stampFile), append(text, '\n'), 0o644)
}
