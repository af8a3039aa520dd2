package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"svcbench/internal/results"
)

// differences are those of two environments in what decides numbers. The version of
// svcbench is none of it: that is what people compare.
func differences(old, fresh *results.Data) []Difference {
	a, b := old.Environment, fresh.Environment
	all := []Difference{}
	add := func(what, was, is string) {
		if was != is {
			all = append(all, Difference{what, was, is})
		}
	}
	add("provider", old.Run.Provider, fresh.Run.Provider)
	add("clock", string(a.Clock()), string(b.Clock()))
	add("kernel", a.Kernel, b.Kernel)
	add("kernel command line", a.KernelCmdline, b.KernelCmdline)
	add("architecture", a.Arch, b.Arch)
	add("operating system", a.OS, b.OS)
	add("CPU", a.CPUModel, b.CPUModel)
	add("CPUs", fmt.Sprint(a.CPUs), fmt.Sprint(b.CPUs))
	add("memory", format(Number(a.MemoryBytes), "bytes"), format(Number(b.MemoryBytes), "bytes"))
	add("virtualized", a.Virtualized, b.Virtualized)
	add("clock source", a.ClockSource, b.ClockSource)
	for _, part := range []struct {
		what     string
		was, now map[string]string
	}{{"version of ", a.Versions, b.Versions}, {"", a.Hardware, b.Hardware}, {"", a.Facts, b.Facts}, {"sysctl ", a.Sysctls, b.Sysctls}} {
		for _, name := range namesOf(part.was, part.now) {
			add(part.what+name, part.was[name], part.now[name])
		}
	}
	return all
}

// namesOf are the keys of both maps in order.
func namesOf(a, b map[string]string) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// settingsOf are the fields in which two scenarios of one name differ: settings are
// those that a comparison may be about, work those that make it one of other things.
func settingsOf(old, fresh *scenario) (settings, work []Difference, err error) {
	was, err := flattened(old.YAML)
	if err != nil {
		return nil, nil, fmt.Errorf("read scenario %s of the old run: %w", old.Name, err)
	}
	is, err := flattened(fresh.YAML)
	if err != nil {
		return nil, nil, fmt.Errorf("read scenario %s of the new run: %w", fresh.Name, err)
	}
	for _, field := range namesOf(was, is) {
		d := Difference{What: field + " of scenario " + fresh.Name, Old: was[field], New: is[field]}
		part, _, _ := strings.Cut(field, ".")
		switch {
		case d.Old == d.New:
		case slices.Contains([]string{"title", "description", "modes", "baseline", "blocks", "points"}, part):
			// They decide which numbers there are, and none of them.
		case slices.Contains([]string{"batching", "proxy", "ipvs", "ebpf"}, part):
			settings = append(settings, d)
		default:
			work = append(work, d)
		}
	}
	return settings, work, nil
}

// flattened are the fields of a scenario by path.
func flattened(text string) (map[string]string, error) {
	var root map[string]any
	if err := yaml.Load([]byte(text), &root); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	flatten(fields, "", root)
	return fields, nil
}

func flatten(fields map[string]string, path string, value any) {
	node, ok := value.(map[string]any)
	if !ok {
		part, _, _ := strings.Cut(path, "[")
		fields[cmp.Or(part, path)] = fmt.Sprint(value)
		return
	}
	for name, v := range node {
		flatten(fields, strings.TrimPrefix(path+"."+name, "."), v)
	}
}
