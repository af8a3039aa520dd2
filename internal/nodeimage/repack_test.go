package nodeimage

import (
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// TestRepack takes one of two images out of an archive.
func TestRepack(t *testing.T) {
	wanted, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	const image = "example.test/cilium/cilium:v1"
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.tar"), filepath.Join(dir, "to.tar")
	tag := func(s string) name.Tag {
		tag, err := name.NewTag(s)
		if err != nil {
			t.Fatal(err)
		}
		return tag
	}
	if err := tarball.MultiWriteToFile(from, map[name.Tag]v1.Image{tag(image): wanted, tag("example.test/other:v2"): other}); err != nil {
		t.Fatal(err)
	}
	if err := Repack(from, to, image); err != nil {
		t.Fatal(err)
	}
	got, err := tarball.ImageFromPath(to, nil) // the only one
	if err != nil {
		t.Fatal(err)
	}
	same := func(of func(v1.Image) (v1.Hash, error)) {
		t.Helper()
		a, err := of(got)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := of(wanted); err != nil || a != b {
			t.Errorf("%v, want %v (%v)", a, b, err)
		}
	}
	same(v1.Image.ConfigName)
	if err := Repack(from, to, "example.test/missing:v3"); err == nil {
		t.Error("an image that is not there was repacked")
	}
}
