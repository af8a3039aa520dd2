package nodeimage

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Repack writes the image with a name out of an archive that a container engine has
// saved into another, as it is on this machine and without anything else. Engines
// may save the list of its variants for all machines, without their content, and
// nodes refuse that.
func Repack(from, to, image string) error {
	tag, err := name.NewTag(image)
	if err != nil {
		return fmt.Errorf("repack image: %w", err)
	}
	i, err := tarball.ImageFromPath(from, &tag)
	if err != nil {
		return fmt.Errorf("read saved image %s: %w", image, err)
	}
	if err := tarball.WriteToFile(to, tag, i); err != nil {
		return fmt.Errorf("write image %s: %w", image, err)
	}
	return nil
}
