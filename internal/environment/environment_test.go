package environment

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"svcbench/internal/results"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// files makes a file system of names and contents.
func files(contents map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range contents {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// noTools is a machine without any.
func noTools(context.Context, string, string) (string, error) {
	return "", errors.New("not found")
}

func capture(t *testing.T, opts ...Option) results.Environment {
	t.Helper()
	e, err := Capture(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const (
	x86 = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.60GHz\nflags\t\t: fpu vme hypervisor lahf_lm\n\n" +
		"processor\t: 1\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.60GHz\nflags\t\t: fpu vme hypervisor lahf_lm\n"
	real = "processor\t: 0\nmodel name\t: AMD EPYC 9354\nflags\t\t: fpu vme\n"
	arm  = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
)

func TestWholeMachine(t *testing.T) {
	fsys := files(map[string]string{
		"proc/sys/kernel/osrelease":     "6.1.0-18-amd64\n",
		"proc/cmdline":                  "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet init=/sbin/x systemd.set_credential=a:b -- --token c\n",
		"etc/os-release":                "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
		"proc/cpuinfo":                  x86,
		"proc/meminfo":                  "MemTotal:       16384 kB\nMemFree:  1 kB\n",
		"proc/loadavg":                  "0.42 1.00 2.5 3/512 9999\n",
		"sys/class/dmi/id/sys_vendor":   "QEMU\n",
		"sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "kvm-clock\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor":            "performance\n",
		"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor":            "performance\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_driver":              "intel_pstate\n",
		"sys/devices/system/cpu/intel_pstate/no_turbo":                    "1\n",
		"sys/devices/system/cpu/smt/control":                              "notsupported\n",
		"sys/devices/system/cpu/vulnerabilities/spectre_v2":               "Mitigation: Retpolines\n",
		"sys/devices/system/node/online":                                  "0\n",
		"sys/fs/cgroup/cpu.max":                                           "150000 100000\n",
		"proc/sys/net/ipv4/ip_local_port_range":                           "32768\t60999\n",
		"proc/sys/net/netfilter/nf_conntrack_max":                         "262144\n",
		"proc/sys/kernel/sched_rt_runtime_us":                             "950000\n",
		"proc/sys/net/core/somaxconn":                                     "4096\n",
		"proc/sys/net/ipv4/tcp_fin_timeout":                               "60\n",
	})
	tools := func(_ context.Context, program, _ string) (string, error) {
		printed := map[string]string{
			"nft":      "nftables v1.0.6 (Lester Gooch #5)\n",
			"iptables": "iptables v1.8.9 (nf_tables)\n",
			"ipset":    "ipset v7.17, protocol version: 7\n",
		}[program]
		if program == "ipset" {
			return printed, errors.New("exit status 1") // no set support in the kernel
		}
		if printed == "" {
			return "", errors.New("not found")
		}
		return printed, nil
	}
	e := capture(t, WithFiles(fsys), WithTools(tools), WithBuild("v0.1.0", "0123abcd"))
	if e.Arch != runtime.GOARCH || e.Versions["go"] != runtime.Version() {
		t.Errorf("arch %q, go %q", e.Arch, e.Versions["go"])
	}
	e.Arch, e.Versions["go"] = "ARCH", "GO" // for the golden file
	got, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "machine.golden.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNothingIsKnown(t *testing.T) {
	e := capture(t, WithFiles(fstest.MapFS{}), WithTools(noTools))
	if e.CPUs != runtime.NumCPU() || len(e.Versions) != 1 || len(e.Sysctls) != 0 || len(e.Hardware) != 0 || e.Load != nil {
		t.Errorf("got %+v, want little", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Capture(ctx, WithFiles(fstest.MapFS{}), WithTools(noTools)); !errors.Is(err, context.Canceled) {
		t.Errorf("Capture after cancel = %v", err)
	}
}

func TestVirtualized(t *testing.T) {
	for _, c := range []struct {
		name, cpu, vendor, product, kind, want string
	}{
		{name: "real", cpu: real, vendor: "Dell Inc.", product: "PowerEdge R760"},
		{name: "cloud's real one", cpu: real, vendor: "Amazon EC2", product: "m7i.metal-24xl"},
		{name: "flag and DMI", cpu: x86, vendor: "QEMU", product: "Standard PC", want: "QEMU Standard PC"},
		{name: "flag alone", cpu: x86, want: "unknown hypervisor"},
		{name: "xen", cpu: x86, kind: "xen", want: "xen"},
		{name: "arm by DMI", cpu: arm, vendor: "Amazon EC2", product: "m7g.large", want: "Amazon EC2 m7g.large"},
		{name: "real arm", cpu: arm, vendor: "Amazon EC2", product: "m7g.metal"},
		{name: "no answer", cpu: arm},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := files(map[string]string{
				"proc/cpuinfo":                  c.cpu,
				"sys/class/dmi/id/sys_vendor":   c.vendor,
				"sys/class/dmi/id/product_name": c.product,
				"sys/hypervisor/type":           c.kind,
			})
			if got := capture(t, WithFiles(fsys), WithTools(noTools)).Virtualized; got != c.want {
				t.Errorf("Virtualized = %q, want %q", got, c.want)
			}
		})
	}
}

func TestProcessors(t *testing.T) {
	fsys := files(map[string]string{
		"proc/cpuinfo": arm,
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
		"sys/devices/system/cpu/cpu9/cpufreq/scaling_governor": "performance\n",
		"sys/devices/system/cpu/cpufreq/boost":                 "1\n",
		"sys/fs/cgroup/cpu.max":                                "max 100000\n",
	})
	e := capture(t, WithFiles(fsys), WithTools(noTools))
	if e.CPUModel != "implementer 0x41, part 0xd40" || e.CPUs != 1 {
		t.Errorf("%d x %q", e.CPUs, e.CPUModel)
	}
	if got := e.Hardware["governor"]; got != "performance, schedutil" {
		t.Errorf("governor = %q", got)
	}
	if got := e.Hardware["turbo"]; got != "on" {
		t.Errorf("turbo = %q", got)
	}
	if got, ok := e.Hardware["cpu-quota"]; ok {
		t.Errorf("cpu-quota = %q without one", got)
	}
}

func TestRecordedCommit(t *testing.T) {
	clean := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}
	dirty := []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}}
	for want, settings := range map[string][]debug.BuildSetting{"abc": clean, "abc+dirty": dirty, "": nil} {
		if got := recorded(settings); got != want {
			t.Errorf("recorded(%v) = %q, want %q", settings, got, want)
		}
	}
}

// On a real Linux the files are where they are looked for.
func TestThisMachine(t *testing.T) {
	e := capture(t)
	if e.Kernel == "" || e.CPUs == 0 || e.MemoryBytes == 0 || e.ClockSource == "" || len(e.Load) != 3 || e.Sysctls["net.core.somaxconn"] == "" {
		t.Errorf("too little is known: %+v", e)
	}
}
