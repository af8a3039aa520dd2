package vm

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// TestArguments compares QEMU's arguments with those that were tried.
func TestArguments(t *testing.T) {
	for name, flag := range map[string]string{
		"wall":         "kernel=debian-6.1,cpus=2",
		"instructions": "kernel=debian-6.1,clock=instructions",
		"kvm":          "kernel=debian-6.1,cpus=2,accel=kvm",
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := ParseSpec(flag)
			if err != nil {
				t.Fatal(err)
			}
			h := hardware{
				spec: spec, accel: spec.Accel, image: "/cache/vmlinux", initramfs: "/scratch/run.cpio", share: "/runs/a,b", console: "/runs/console.log",
				seed: 42, start: time.Date(2026, 11, 27, 5, 15, 0, 0, time.UTC),
			}
			got := strings.Join(h.arguments(), "\n") + "\n"
			golden := filepath.Join("testdata", name+".args")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("arguments are\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestLastWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "console")
	for _, c := range []struct{ name, console, first string }{
		{"panic", "booting\r\n[ 1.0] Kernel panic - not syncing: x\r\n" + strings.Repeat("trace\r\n", 40), "[ 1.0] Kernel panic - not syncing: x"},
		{"silence", "one\ntwo\n", "one"},
		{"nothing", "", ""},
	} {
		if err := os.WriteFile(file, []byte(c.console), 0o644); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(lastWords(file), "\n")
		if first != c.first {
			t.Errorf("%s: %q, want %q", c.name, first, c.first)
		}
	}
}
