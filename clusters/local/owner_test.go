package local

import (
	"os"
	"slices"
	"testing"
)

// What is registered belongs to its process until that has cleaned up, also
// for somebody who looked just before.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may register a cluster")
	}
	temp := t.TempDir()
	o, err := newOwner(temp)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := os.Open(o.path())
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	if !o.names(seen) {
		t.Error("the owner's file is not taken for it")
	}
	if other, err := adopt(o.prefix); other != nil || err != nil {
		t.Errorf("a living owner was adopted: %v, %v", other, err)
	}
	if removed, err := cleanOne(o.prefix); removed || err != nil {
		t.Errorf("a living owner was cleaned up: %v, %v", removed, err)
	}
	if err := o.release(); err != nil {
		t.Fatal(err)
	}
	if o.names(seen) {
		t.Error("a removed file is taken for the owner's")
	}
	if removed, err := cleanOne(o.prefix); removed || err != nil {
		t.Errorf("nothing was cleaned up: %v, %v", removed, err)
	}
	if left, err := Leftovers(); err != nil || slices.Contains(left, o.prefix) {
		t.Errorf("leftovers %v, %v", left, err)
	}
}
