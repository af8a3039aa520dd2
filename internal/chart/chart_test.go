package chart

import (
	"os"
	"path/filepath"
	"testing"
)

// write writes a chart and returns its folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRender(t *testing.T) {
	dir := write(t, map[string]string{
		"Chart.yaml":           "apiVersion: v2\nname: tiny\nversion: 1.0.0\n",
		"values.yaml":          "image: {repository: example.test/tiny, tag: v1}\nsize: 1\nwith: 2\n",
		"templates/_help.tpl":  `{{ define "name" }}{{ .Release.Name }}-{{ .Release.Namespace }}{{ end }}`,
		"templates/NOTES.txt":  "It is installed.",
		"templates/a.yaml":     "kind: Pod\nsize: {{ .Values.size }}\nwith: {{ .Values.with }}\n",
		"templates/sub/b.yaml": "kind: Namespace\nname: {{ include \"name\" . }}\nversion: {{ .Capabilities.KubeVersion.Minor }}\n",
		"templates/off.yaml":   "{{ if false }}kind: Off{{ end }}",
	})
	got, err := Render(t.Context(), dir, "v1.37.2", map[string]any{"size": 7})
	if err != nil {
		t.Fatal(err)
	}
	const want = "---\nkind: Namespace\nname: tiny-kube-system\nversion: 37\n\n---\nkind: Pod\nsize: 7\nwith: 2\n\n"
	if string(got) != want {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
	if image, err := Image(dir); err != nil || image != "example.test/tiny:v1" {
		t.Errorf("image %q, %v", image, err)
	}
}

func TestNoImage(t *testing.T) {
	dir := write(t, map[string]string{"Chart.yaml": "apiVersion: v2\nname: tiny\nversion: 1.0.0\n", "values.yaml": "image: tiny\n"})
	if image, err := Image(dir); err == nil {
		t.Errorf("image %q", image)
	}
}
