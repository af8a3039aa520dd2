package environment

import (
	"io/fs"
	"runtime"
	"slices"
	"strings"
)

// processor is what /proc/cpuinfo says.
type processor struct {
	model string
	count int
	// tells is true for CPUs that say whether they are virtual ones (x86),
	// hypervisor for those that say so.
	tells, hypervisor bool
}

// cpu reads /proc/cpuinfo. On arm64 there is no model name, only numbers of
// the maker and the part.
func (m *machine) cpu() processor {
	var p processor
	var implementer, part string
	for _, line := range m.lines("proc/cpuinfo") {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			p.count++
		case "model name":
			p.model = value
		case "CPU implementer":
			implementer = value
		case "CPU part":
			part = value
		case "flags":
			p.tells = true
			p.hypervisor = p.hypervisor || slices.Contains(strings.Fields(value), "hypervisor")
		}
	}
	if p.model == "" && part != "" {
		p.model = "implementer " + implementer + ", part " + part
	}
	if p.count == 0 {
		p.count = runtime.NumCPU()
	}
	return p
}

// hypervisors are the makers of virtual machines as these name themselves in
// DMI, which is all there is to go by where the CPU does not tell.
var hypervisors = []string{"QEMU", "KVM", "VMware", "innotek GmbH", "Xen", "Microsoft Corporation", "Amazon EC2", "Google", "Parallels", "Bochs", "DigitalOcean", "Hetzner", "OpenStack"}

// virtualized says what the machine is if it is not a real one, as far as it
// tells; empty for a real one.
func (m *machine) virtualized(cpu processor) string {
	vendor, product := m.read("sys/class/dmi/id/sys_vendor"), m.read("sys/class/dmi/id/product_name")
	name := strings.TrimSpace(vendor + " " + product)
	kind := m.read("sys/hypervisor/type")
	switch {
	case kind != "":
		return strings.TrimSpace(kind + " " + name)
	case cpu.hypervisor && name == "":
		return "unknown hypervisor"
	case cpu.hypervisor:
		return name
	case !cpu.tells && slices.Contains(hypervisors, vendor) && !strings.Contains(product, "metal"):
		return name
	}
	return ""
}

// hardware returns what of the machine decides how fast and how steady it is.
func (m *machine) hardware() map[string]string {
	const cpus = "sys/devices/system/cpu/"
	found := map[string]string{}
	for name, value := range map[string]string{
		"governor":         m.distinct(cpus + "cpu[0-9]*/cpufreq/scaling_governor"),
		"frequency-driver": m.distinct(cpus + "cpu[0-9]*/cpufreq/scaling_driver"),
		"smt":              m.read(cpus + "smt/control"),
		"turbo":            m.turbo(),
		"numa-nodes":       m.read("sys/devices/system/node/online"),
		// Return trampolines make the indirect calls of netfilter slow.
		"spectre-v2": m.read(cpus + "vulnerabilities/spectre_v2"),
	} {
		if value != "" {
			found[name] = value
		}
	}
	// "max PERIOD" is no limit, and there is no file outside a container.
	if quota := m.read("sys/fs/cgroup/cpu.max"); quota != "" && !strings.HasPrefix(quota, "max") {
		found["cpu-quota"] = quota + " us"
	}
	return found
}

// turbo says whether the CPU may exceed its nominal frequency; empty if
// nobody knows.
func (m *machine) turbo() string {
	const cpus = "sys/devices/system/cpu/"
	switch {
	case m.read(cpus+"intel_pstate/no_turbo") == "0", m.read(cpus+"cpufreq/boost") == "1":
		return "on"
	case m.read(cpus+"intel_pstate/no_turbo") == "1", m.read(cpus+"cpufreq/boost") == "0":
		return "off"
	}
	return ""
}

// distinct returns the different contents of all files that match pattern, in
// order: one for CPUs that are all alike.
func (m *machine) distinct(pattern string) string {
	names, err := fs.Glob(m.files, pattern)
	if err != nil {
		return "" // only for a malformed pattern
	}
	var values []string
	for _, name := range names {
		if v := m.read(name); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return strings.Join(values, ", ")
}
