package kind

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestClaims(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(socketVariable, "unix://"+filepath.Join(t.TempDir(), "gone"))
	living, err := newClaim("svcbench-00000001", engine{name: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	dead, err := newClaim("svcbench-00000002", engine{name: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dead.Work, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := dead.abandon(); err != nil { // as the end of the process would
		t.Fatal(err)
	}
	if left, err := Leftovers(); err != nil || !slices.Equal(left, []string{"svcbench-00000002"}) {
		t.Errorf("leftovers %q, %v", left, err)
	}
	var removed []string
	// The daemon's socket does not exist any more, nor do its containers.
	if err := Clean(t.Context(), func(name string) { removed = append(removed, name) }); err != nil {
		t.Error(err)
	}
	if !slices.Equal(removed, []string{"svcbench-00000002"}) {
		t.Errorf("removed %q", removed)
	}
	if _, err := os.Stat(dead.Work); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if err := living.release("svcbench-00000001"); err != nil {
		t.Error(err)
	}
	if left, err := Leftovers(); err != nil || len(left) != 0 {
		t.Errorf("leftovers %q, %v", left, err)
	}
}
