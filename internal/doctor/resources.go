package doctor

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a run takes at most, and what leaves room beside it.
const (
	gib = 1 << 30
	// neededMemory is for 10,000 Services with an API server, etcd and a
	// proxy; comfortableMemory for the largest built-in scenario.
	neededMemory      = 2 * gib
	comfortableMemory = 4 * gib
	// neededCache is for the sources, the Go build cache and the binaries.
	neededCache = 6 * gib
	// neededWork is for the data of etcd with the largest population.
	neededWork = 1 * gib
	// neededRuns is for the logs and results of the largest run.
	neededRuns = 1 * gib
	// neededFiles is for the client's and the backend's connections.
	neededFiles = 8192
	// comfortableConntrack holds the connections of a trial, which stay
	// tracked for two minutes after they are closed.
	comfortableConntrack = 131072
	comfortablePorts     = 20000
	comfortableCPUs      = 2
)

func (m *Machine) root(context.Context) Finding {
	if m.UID != 0 {
		return failed("run the same command with sudo", "user id %d; network namespaces and kernel rules need root", m.UID)
	}
	return okay("user id 0")
}

func (m *Machine) memory(context.Context) Finding {
	available, err := m.memoryAvailable()
	if err != nil {
		return unknown(err)
	}
	switch {
	case available < neededMemory:
		return failed("end other programs, or choose fewer Services with --points", "%s available; %s is the least", size(available), size(neededMemory))
	case available < comfortableMemory:
		return warning("end other programs before runs of 10,000 Services and more", "%s available; %s is comfortable", size(available), size(comfortableMemory))
	}
	return okay("%s available", size(available))
}

// memoryAvailable is MemAvailable of /proc/meminfo in bytes.
func (m *Machine) memoryAvailable() (uint64, error) {
	f, err := os.Open(filepath.Join(m.Proc, "meminfo"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no MemAvailable in %s", f.Name())
}

func (m *Machine) cpus(context.Context) Finding {
	if n := runtime.NumCPU(); n < comfortableCPUs {
		return warning("use a machine with more processors", "%d; client and proxy then wait for each other", n)
	}
	return okay("%d", runtime.NumCPU())
}

func (m *Machine) diskCache(ctx context.Context) Finding {
	if !m.Building(ctx) {
		return okay("not needed: all components are there")
	}
	return disk(m.CacheDir, neededCache, "choose another cache folder with XDG_CACHE_HOME")
}

func (m *Machine) diskWork(context.Context) Finding {
	return disk(m.WorkDir, neededWork, "choose another folder with TMPDIR")
}

func (m *Machine) diskRuns(context.Context) Finding {
	return disk(m.OutDir, neededRuns, "choose another folder with --out")
}

// disk checks that a folder, or the one it will be made in, can be written and
// has room. other is the way to another folder.
func disk(dir string, needed uint64, other string) Finding {
	place := existing(dir)
	if info, err := os.Stat(place); err == nil && !info.IsDir() {
		return failed(other, "%s is not a folder", place)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(place, &st); err != nil {
		return unknown(fmt.Errorf("file system of %s: %w", place, err))
	}
	free := st.Bavail * uint64(st.Bsize)
	if free < needed {
		return failed("free space there, or "+other, "%s free in %s; %s is the least", size(free), dir, size(needed))
	}
	if err := unix.Access(place, unix.W_OK); err != nil {
		return failed(other, "%s cannot be written: %v", place, err)
	}
	return okay("%s free in %s", size(free), dir)
}

// existing returns dir or the nearest folder above it that exists.
func existing(dir string) string {
	dir = filepath.Clean(dir)
	for {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

func (m *Machine) openFiles(context.Context) Finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return unknown(err)
	}
	// Go raises the soft limit to the hard one by itself.
	if limit.Max < neededFiles {
		return failed(fmt.Sprintf("ulimit -n %d", neededFiles), "at most %d; %d is the least", limit.Max, neededFiles)
	}
	return okay("at most %d", limit.Max)
}

func (m *Machine) conntrack(context.Context) Finding {
	text, err := read(m.Proc, "sys/net/netfilter/nf_conntrack_max")
	if os.IsNotExist(err) {
		return warning("modprobe nf_conntrack", "the kernel tracks no connections yet; its module is perhaps not loaded")
	}
	if err != nil {
		return unknown(err)
	}
	most, err := strconv.Atoi(text)
	if err != nil {
		return unknown(err)
	}
	if most < comfortableConntrack {
		return warning(fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", comfortableConntrack*2),
			"at most %d connections; long trials at high rates need more", most)
	}
	return okay("at most %d connections", most)
}

func (m *Machine) clock(context.Context) Finding {
	source, err := read(m.Sys, "devices/system/clocksource/clocksource0/current_clocksource")
	if err != nil {
		return unknown(err)
	}
	switch source {
	case "hpet", "acpi_pm", "jiffies":
		return warning("choose another one in "+filepath.Join(m.Sys, "devices/system/clocksource/clocksource0"),
			"%s is slow to read, which every figure contains", source)
	}
	return okay("%s", source)
}

func (m *Machine) governor(context.Context) Finding {
	files, err := filepath.Glob(filepath.Join(m.Sys, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
	if err != nil || len(files) == 0 {
		return okay("not under the control of this system")
	}
	for _, file := range files {
		governor, err := read(file)
		if err != nil {
			return unknown(err)
		}
		if governor != "performance" {
			return warning("cpupower frequency-set -g performance", "governor %q lets the frequency change while measuring", governor)
		}
	}
	return okay("governor performance")
}

// size writes bytes in binary units.
func size(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/gib) }
