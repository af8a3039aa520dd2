package local

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/netns"
)

// machine is what of the machine itself a cluster must not change.
type machine struct {
	Namespaces, Owners, WorkFolders, Processes []string
	Links, Rules, Sysctls, CgroupsAndBPF       string
}

// machineNow reads the state of the machine. temp is the folder for temporary
// files of the clusters under test.
func machineNow(t *testing.T, temp string) machine {
	t.Helper()
	var m machine
	// Other clusters, and tests, come and go beside this one: they are not
	// its own.
	mine, others := ownersNow(t, temp)
	m.Owners = mine
	all, err := netns.List("")
	if err != nil {
		t.Fatal(err)
	}
	_, later := ownersNow(t, temp)
	others = append(others, later...)
	for _, name := range all {
		match := ownedName.FindStringSubmatch(name)
		if !strings.HasPrefix(name, "svcbench-test-") && (match == nil || !slices.Contains(others, match[1])) {
			m.Namespaces = append(m.Namespaces, name)
		}
	}
	m.WorkFolders, _ = filepath.Glob(filepath.Join(temp, "svcbench-*"))
	m.Processes = processesOf(t, temp)
	sockets, _ := filepath.Glob("/run/cilium*")
	homes, _ := filepath.Glob("/nonexistent/.*/*/*") // what programs that were told of no home folder made
	m.WorkFolders = slices.Concat(m.WorkFolders, sockets, homes)
	m.Links = output(t, "ip", "-o", "address") + output(t, "ip", "route", "show", "table", "all") + output(t, "ip", "-o", "link")
	m.Rules = output(t, "nft", "list", "ruleset") + output(t, "iptables-save") + output(t, "ip6tables-save")
	m.Sysctls = tree(t, "/proc/sys/net") + tree(t, "/proc/sys/vm") +
		tree(t, "/proc/sys/kernel/unprivileged_bpf_disabled") + tree(t, "/proc/sys/kernel/timer_migration") // Cilium would set them
	for _, dir := range []string{"/sys/fs/bpf", "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			// Others make and remove theirs at any time; ours would say so.
			if err == nil && strings.HasPrefix(d.Name(), "svcbench-") && !slices.Contains(others, d.Name()) && !strings.HasPrefix(d.Name(), "svcbench-test-") {
				m.CgroupsAndBPF += path + "\n"
			}
			return nil
		})
	}
	return m
}

// ownersNow lists the owners whose work folder is in temp, and the others.
func ownersNow(t *testing.T, temp string) (mine, others []string) {
	t.Helper()
	all, err := owners()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		text, _ := os.ReadFile(filepath.Join(registry, name)) // gone meanwhile: another's
		if strings.Contains(string(text), temp) {
			mine = append(mine, name)
		} else {
			others = append(others, name)
		}
	}
	return mine, others
}

// leftoversIn lists the leftovers whose work folder is in temp: others may have
// been killed beside this test.
func leftoversIn(t *testing.T, temp string) []string {
	t.Helper()
	mine, _ := ownersNow(t, temp)
	left, err := Leftovers()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(left, func(name string) bool { return !slices.Contains(mine, name) })
}

// same fails the test unless the machine is as before.
func (m machine) same(t *testing.T, now machine) {
	t.Helper()
	if diff := cmp.Diff(m, now); diff != "" {
		t.Errorf("the machine is not as it was (-before +after):\n%s", diff)
	}
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", program, strings.Join(args, " "), err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") { // iptables-save dates its output
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// tree reads all files below dir that do not count something.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_count") || strings.HasSuffix(path, "/stat_refresh") {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Mode()&0o444 == 0 {
			return nil // some can only be written
		}
		text, _ := os.ReadFile(path)
		b.WriteString(path + "=" + string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// processesOf lists the processes whose command line names the folder.
func processesOf(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		line, _ := os.ReadFile(f)
		// The test itself, when it is its own child, names the folder too.
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(text, folder) {
			found = append(found, text)
		}
	}
	return found
}

// small returns a folder on a disk of its own that is too small for etcd.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
