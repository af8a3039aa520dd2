package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// module is the import path of this repository.
const module = "svcbench/"

// below says for each folder which other folders its packages may import;
// everything may import its own folder. The longest folder that fits counts.
func below() map[string][]string {
	return map[string][]string{
		"internal":  {},
		"scenarios": {"internal"},
		"clusters":  {"internal", "scenarios"},
		"reports":   {"internal", "scenarios"},
		// A runner knows what a cluster is, and no provider in particular.
		"runners": {"internal", "scenarios", "clusters"},
		"cmd":     {"internal", "scenarios", "clusters", "clusters/kind", "clusters/local", "clusters/vm", "reports", "runners"},
	}
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, complaint.String())
	}
	return out
}

// TestImportsPointDown checks the floors of the house: see docs/design.md.
func TestImportsPointDown(t *testing.T) {
	packages := json.NewDecoder(bytes.NewReader(goList(t, "-json=ImportPath,Imports", "./...")))
	checked := 0
	for packages.More() {
		var p listedPackage
		if err := packages.Decode(&p); err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		folder, _, _ := strings.Cut(from, "/")
		allowed, known := below()[folder]
		if !known {
			t.Errorf("%s is on no floor", from)
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !mayImport(folder, allowed, to) {
				t.Errorf("%s imports %s, which is not below it", from, to)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no imports were found")
	}
}

// mayImport reports whether a package of a folder may import another one. Of
// clusters others see the root package alone, unless a sub-package is named.
func mayImport(folder string, allowed []string, to string) bool {
	top, _, _ := strings.Cut(to, "/")
	if top == folder {
		return true
	}
	for _, a := range allowed {
		if a == to || a == top && top != "clusters" {
			return true
		}
	}
	return false
}

// TestNoHeavyDependencies keeps the program small: who uses it with a cluster
// of their own must not have to build Kubernetes or Cilium.
func TestNoHeavyDependencies(t *testing.T) {
	for dep := range strings.Lines(string(goList(t, "-deps", "./cmd/svcbench"))) {
		for _, heavy := range []string{"k8s.io/kubernetes", "github.com/cilium/cilium"} {
			if strings.HasPrefix(dep, heavy) {
				t.Errorf("svcbench imports %s", strings.TrimSpace(dep))
			}
		}
	}
}
