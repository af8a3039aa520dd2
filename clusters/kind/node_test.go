package kind

import (
	"os/exec"
	"testing"
)

func TestIsMissing(t *testing.T) {
	for script, want := range map[string]bool{"exit 127": true, "exit 126": false, "exit 1": false, "exit 0": false} {
		if got := isMissing(exec.Command("sh", "-c", script).Run(), []byte("permission denied")); got != want {
			t.Errorf("%s: %t", script, got)
		}
	}
	for _, status := range []string{"1", "126"} {
		err := exec.Command("sh", "-c", "exit "+status).Run()
		if !isMissing(err, []byte(`exec: "ipset": executable file not found in $PATH`)) {
			t.Errorf("status %s: a program that was not found is there", status)
		}
	}
}
