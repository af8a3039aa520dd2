package nodeimage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// plain is a layer that stays as it is. Layers from go-containerregistry are
// compressed, and every node would have to undo that when a cluster starts.
type plain struct {
	file string
	hash v1.Hash
	size int64
}

var _ v1.Layer = plain{}

// newPlain makes a layer of a tar file.
func newPlain(file string) (plain, error) {
	f, err := os.Open(file)
	if err != nil {
		return plain{}, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return plain{}, fmt.Errorf("read layer: %w", err)
	}
	return plain{file: file, hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}, size: size}, nil
}

func (p plain) Digest() (v1.Hash, error)             { return p.hash, nil }
func (p plain) DiffID() (v1.Hash, error)             { return p.hash, nil }
func (p plain) Compressed() (io.ReadCloser, error)   { return os.Open(p.file) }
func (p plain) Uncompressed() (io.ReadCloser, error) { return os.Open(p.file) }
func (p plain) Size() (int64, error)                 { return p.size, nil }
func (p plain) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }
