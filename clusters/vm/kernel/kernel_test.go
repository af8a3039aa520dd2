package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestNewestOf(t *testing.T) {
	const listed = `linux-image-6.1.0-9-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-56-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-57-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-57-rt-amd64 - Linux 6.1 for 64-bit PCs, PREEMPT_RT (signed)
linux-image-6.1.0-57-amd64-unsigned - Linux 6.1 for 64-bit PCs
linux-image-6.1.0-57-amd64-dbg - Debug symbols for linux-image-6.1.0-57-amd64
linux-image-6.12-amd64 - Linux for 64-bit PCs (meta-package)
linux-image-6.12.100+deb12-amd64 - Linux 6.12 for 64-bit PCs (signed)
linux-image-6.12.99+deb12-amd64 - Linux 6.12 for 64-bit PCs (signed)
linux-image-6.12.101+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
`
	for series, want := range map[string]string{
		"6.1":  "linux-image-6.1.0-56-amd64",
		"6.12": "linux-image-6.12.100+deb12-amd64",
		"6.6":  "",
	} {
		if got := newestOf(listed, series); got != want {
			t.Errorf("newest of %s is %q, want %q", series, got, want)
		}
	}
}

// TestKept finds the newest whole kernel in a cache.
func TestKept(t *testing.T) {
	cache := t.TempDir()
	for folder, stamp := range map[string]string{
		"linux-image-6.1.0-9-amd64_6.1.9-1":   `{"package":"nine","image":"boot/vmlinux","modules":"lib/modules/x"}`,
		"linux-image-6.1.0-50-amd64_6.1.50-1": `{"package":"fifty","image":"boot/vmlinux","modules":"lib/modules/x"}`,
		"linux-image-6.1.0-56-amd64_6.1.56-1": "", // not whole
		"linux-image-6.12.1-amd64_6.12.1-1":   `{"package":"other"}`,
	} {
		if err := os.MkdirAll(filepath.Join(cache, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		if stamp == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(cache, folder, stampFile), []byte(stamp), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k, found := newestKept("6.1", cache)
	if !found || k.Package != "fifty" || k.Image != filepath.Join(cache, "linux-image-6.1.0-50-amd64_6.1.50-1", "boot", "vmlinux") {
		t.Errorf("newest kept is %+v, %v", k, found)
	}
	if _, found := newestKept("6.6", cache); found {
		t.Error("found a kernel that is not there")
	}
}

func TestPayloadOf(t *testing.T) {
	image := make([]byte, 4096)
	image[0x1f1] = 3 // sectors: the payload's part begins at 2048
	copy(image[0x202:], "HdrS")
	image[0x248], image[0x24c] = 16, 14 // offset, length
	copy(image[2048+16:], "\xfd7zXZ\x00....SIZE")
	got, err := payloadOf(image)
	if err != nil || string(got) != "\xfd7zXZ\x00...." || programFor(got) != "xz" {
		t.Errorf("payload %q, %v", got, err)
	}
	image[0x24d] = 0xff // longer than the file
	for _, bad := range [][]byte{image, image[:100], make([]byte, 4096)} {
		if _, err := payloadOf(bad); !errors.Is(err, errNoPayload) {
			t.Errorf("a file that is no kernel gives %v", err)
		}
	}
}
