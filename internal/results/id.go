package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// namedScenarios is how many scenarios an identifier names; more would make
// it unreadable.
const namedScenarios = 2

// NewID returns an identifier for a run that starts at t, such as
// "20261127-051500-quick": the time in UTC, so that identifiers sort by age
// wherever the run was made, then what is run. Runs of the same second have
// the same identifier; see Unused.
func NewID(t time.Time, scenarios []string) string {
	parts := []string{t.UTC().Format("20060102-150405")}
	for i, name := range scenarios {
		if i == namedScenarios {
			parts = append(parts, fmt.Sprintf("and-%d-more", len(scenarios)-i))
			break
		}
		parts = append(parts, strings.Map(plain, name))
	}
	return strings.Join(parts, "-")
}

// plain replaces what is awkward in a file name.
func plain(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		return r
	}
	return '-'
}

// Unused returns id, or id with the first suffix "-2", "-3", ... that makes
// it the name of nothing in the folder root.
func Unused(root, id string) (string, error) {
	candidate := id
	for n := 2; ; n++ {
		_, err := os.Lstat(filepath.Join(root, candidate))
		if errors.Is(err, fs.ErrNotExist) {
			return candidate, nil
		}
		if err != nil {
			return "", readError(fmt.Errorf("look for a new run directory: %w", err))
		}
		candidate = fmt.Sprintf("%s-%d", id, n)
	}
}
