package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svcbench/internal/failure"
)

// machine is one on which files and programs are as the test says.
type machine struct {
	files    map[string]string
	programs map[string]string
}

func (m machine) machine(t *testing.T) *Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range m.files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Machine{
		Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"),
		CacheDir: root, OutDir: root, WorkDir: root,
		Building: func(context.Context) bool { return true },
		Run: func(_ context.Context, program string, _ ...string) ([]byte, error) {
			text, ok := m.programs[program]
			if !ok {
				return nil, &exec.Error{Name: program, Err: exec.ErrNotFound}
			}
			return []byte(text), nil
		},
	}
}

func TestFindings(t *testing.T) {
	kernel := func(release string) machine {
		return machine{files: map[string]string{"proc/sys/kernel/osrelease": release + "\n"}}
	}
	nft := func(text string) machine { return machine{programs: map[string]string{"nft": text}} }
	memory := func(kib int) machine {
		return machine{files: map[string]string{"proc/meminfo": fmt.Sprintf("MemTotal: 99 kB\nMemAvailable:   %d kB\n", kib)}}
	}
	for _, test := range []struct {
		name   string
		check  string
		on     machine
		status Status
		says   string
	}{
		{"old kernel", "kernel", kernel("5.12.19-generic"), Warning, "older than 5.13"},
		{"first kernel that will do", "kernel", kernel("5.13.0"), Ok, "5.13.0"},
		{"new kernel", "kernel", kernel("6.18.44-fc-v669"), Ok, "6.18"},
		{"no nft", "nft", machine{}, Warning, "not installed"},
		{"old nft", "nft", nft("nftables v1.0.0 (Fearless Fosdick #2)"), Warning, "older than 1.0.1"},
		{"nft with two numbers", "nft", nft("nftables v1.1 (Commodore Bullmoose)"), Ok, "1.1"},
		{"iptables without save", "iptables", machine{programs: map[string]string{"iptables": "iptables v1.8.9"}}, Warning, "iptables-save"},
		{"no go", "go", machine{}, Failed, "not installed"},
		{"old go", "go", machine{programs: map[string]string{"go": "go version go1.25.3 linux/amd64"}}, Failed, "older than 1.26"},
		{"little memory", "memory", memory(1 << 20), Failed, "1.0 GiB"},
		{"enough memory for small runs", "memory", memory(3 << 20), Warning, "comfortable"},
		{"much memory", "memory", memory(8 << 20), Ok, "8.0 GiB"},
		{"unreadable memory", "memory", machine{files: map[string]string{"proc/meminfo": ""}}, Unknown, "MemAvailable"},
		{"slow clock", "clock", machine{files: map[string]string{"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n"}}, Warning, "hpet"},
		{"governor", "governor", machine{files: map[string]string{"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"}}, Warning, "powersave"},
		{"no governor", "governor", machine{}, Ok, ""},
		{"few tracked connections", "conntrack", machine{files: map[string]string{"proc/sys/net/netfilter/nf_conntrack_max": "4096\n"}}, Warning, "4096"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range test.on.machine(t).Checks() {
				if c.ID != test.check {
					continue
				}
				got := Examine(t.Context(), []Check{c})[0]
				if got.Status != test.status || !strings.Contains(got.Detail, test.says) {
					t.Errorf("got %s %q, want %s with %q", got.Status, got.Detail, test.status, test.says)
				}
				if got.Fix == "" && (got.Status == Failed || got.Status == Warning) {
					t.Error("no way to repair it is told")
				}
				return
			}
			t.Errorf("no check %q", test.check)
		})
	}
}

func TestVerdict(t *testing.T) {
	check := func(severity Severity, f Finding) Check {
		return Check{ID: "x", Title: "a thing", Severity: severity, Try: func(context.Context) Finding { return f }}
	}
	missing := failed("install it", "it is missing")
	for _, test := range []struct {
		name   string
		checks []Check
		code   failure.Code
	}{
		{"all well", []Check{check(Required, okay("fine"))}, failure.OK},
		{"advice is no verdict", []Check{check(Advised, missing)}, failure.OK},
		{"what cannot be found out is no verdict", []Check{check(Required, unknown(errors.New("no idea")))}, failure.OK},
		{"required", []Check{check(Required, missing), check(Required, missing)}, failure.Environment},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Verdict(Examine(t.Context(), test.checks))
			if failure.CodeOf(err) != test.code {
				t.Errorf("got code %d (%v), want %d", failure.CodeOf(err), err, test.code)
			}
			if err != nil && failure.HintOf(err) != "install it" {
				t.Errorf("hint %q", failure.HintOf(err))
			}
		})
	}
}

func TestBusiest(t *testing.T) {
	stat := func(name string, user, system int) consumer {
		p, err := parseStat(fmt.Sprintf("42 (%s) R 1 42 42 0 -1 4194304 100 0 0 0 %d %d 0 0 20 0 1 0", name, user, system))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := map[int]consumer{1: stat("init", 5, 5), 2: stat("a) (b", 100, 0), 3: stat("ended", 0, 0)}
	after := map[int]consumer{1: stat("init", 5, 6), 2: stat("a) (b", 160, 30), 4: stat("new", 500, 0)}
	got := strings.Join(busiest(before, after, time.Second), "; ")
	if want := "a) (b (2) 90%"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTrialNamespace tries the checks that need the kernel on this machine.
func TestTrialNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: network namespaces cannot be made")
	}
	m := This()
	if f := m.namespaces(t.Context()); f.Status != Ok {
		t.Fatalf("namespaces: %+v", f)
	}
	if f := m.ephemeralPorts(t.Context()); f.Status != Ok && f.Status != Warning {
		t.Errorf("ephemeral ports: %+v", f)
	}
	f := m.path(t.Context())
	t.Logf("path: %+v", f)
	if f.Status == Unknown || f.Detail == "" {
		t.Errorf("path: %+v", f)
	}
}
