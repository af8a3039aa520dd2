package results

import (
	"fmt"
	"maps"
	"slices"
)

// Difference is a property that two runs do not share.
type Difference struct {
	What string `json:"what"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Differences are those of an environment and a later one in what decides numbers.
// The version of svcbench and the load of the machine are none of it.
func (e Environment) Differences(later Environment) []Difference {
	all := []Difference{}
	add := func(what, was, is string) {
		if was != is {
			all = append(all, Difference{what, was, is})
		}
	}
	add("clock", string(e.Clock()), string(later.Clock()))
	add("kernel", e.Kernel, later.Kernel)
	add("kernel command line", e.KernelCmdline, later.KernelCmdline)
	add("architecture", e.Arch, later.Arch)
	add("operating system", e.OS, later.OS)
	add("CPU", e.CPUModel, later.CPUModel)
	add("CPUs", fmt.Sprint(e.CPUs), fmt.Sprint(later.CPUs))
	add("memory", gibibytes(e.MemoryBytes), gibibytes(later.MemoryBytes))
	add("virtualized", e.Virtualized, later.Virtualized)
	add("clock source", e.ClockSource, later.ClockSource)
	for _, part := range []struct {
		what     string
		was, now map[string]string
	}{{"version of ", e.Versions, later.Versions}, {"", e.Hardware, later.Hardware}, {"", e.Facts, later.Facts}, {"sysctl ", e.Sysctls, later.Sysctls}} {
		for _, name := range Names(part.was, part.now) {
			add(part.what+name, part.was[name], part.now[name])
		}
	}
	return all
}

// gibibytes writes an amount of memory; what the kernel takes of it for itself varies
// by some megabytes.
func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// Names are the keys of both maps, in order.
func Names(a, b map[string]string) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}
