package components

import (
	"bytes"
	"os"
	"testing"
)

// TestPins checks that the embedded copies are those of the nested modules.
func TestPins(t *testing.T) {
	for _, m := range pinned() {
		for ext, got := range map[string][]byte{"mod": m.mod, "sum": m.sum} {
			source := "../../components/" + m.pins + "/go." + ext
			want, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("pins/%s.%s is not %s: run go generate ./internal/components", m.pins, ext, source)
			}
		}
		if m.version == "" {
			t.Errorf("components/%s/go.mod does not require %s", m.pins, m.path)
		}
	}
}

func TestOutput(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":        "server",
		"k8s.io/kubernetes/cmd/kube-proxy": "kube-proxy",
		"github.com/cilium/cilium/daemon":  "daemon",
	} {
		if got := (program{pkg: pkg}).output(); got != want {
			t.Errorf("go build %s makes %q, want %q", pkg, got, want)
		}
	}
}
