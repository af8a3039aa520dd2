package ociruntime

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTrim(t *testing.T) {
	const wanted = `{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":null},"n":12345678901234567890}`
	const trimmed = `{"capabilities":{"bounding":["CAP_CHOWN"],"effective":null},"n":12345678901234567890}`
	for _, tc := range []struct {
		name       string
		args       func(dir string) []string
		file       string
		text, want string
	}{
		{"create", func(d string) []string { return []string{"--root", "/run", "create", "--bundle", d, "id"} }, "config.json", `{"process":` + wanted + `}`, `{"process":` + trimmed + `}`},
		{"run with a joined flag", func(d string) []string { return []string{"run", "--bundle=" + d, "id"} }, "config.json", `{"process":` + wanted + `}`, `{"process":` + trimmed + `}`},
		{"exec", func(d string) []string { return []string{"exec", "-d", "--process", d + "/p.json", "id"} }, "p.json", wanted, trimmed},
		{"delete", func(d string) []string { return []string{"delete", "--bundle", d, "id"} }, "config.json", wanted, wanted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, tc.file)
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Trim(tc.args(dir), []string{"CAP_CHOWN", "CAP_KILL"}); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil || string(got) != tc.want {
				t.Errorf("got %s, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func TestTrimWithoutDocument(t *testing.T) {
	if err := Trim([]string{"create", "--bundle", t.TempDir(), "id"}, nil); err != nil {
		t.Error(err)
	}
}
