package kind

import "testing"

func TestArchiveName(t *testing.T) {
	for id, want := range map[string]string{
		"sha256:0123456789abcdef0123\n": "pulled-0123456789ab.tar", // Docker
		"0123456789abcdef0123\n":        "pulled-0123456789ab.tar", // Podman
		"":                              "",
		"sha256:0123\n":                 "",
		"latest-and-greatest\n":         "",
	} {
		if got, err := archiveName(id); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", id, got, err, want)
		}
	}
}
