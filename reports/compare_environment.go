package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"svcbench/internal/results"
	"svcbench/scenarios"
)

// differences are those of two runs in what decides numbers. The version of svcbench
// is none of it: that is what people compare.
func differences(old, fresh *Baseline) []results.Difference {
	all := old.Environment.Differences(fresh.Environment)
	if was, is := old.Provider, fresh.Provider; was != is {
		all = append([]results.Difference{{What: "provider", Old: was, New: is}}, all...)
	}
	return all
}

// settingsOf are the fields in which two scenarios of one name differ: settings are
// those that a comparison may be about, work those that make it one of other things.
func settingsOf(name, old, fresh string) (settings, work []results.Difference, err error) {
	was, err := flattened(old)
	if err != nil {
		return nil, nil, fmt.Errorf("read scenario %s of the old run: %w", name, err)
	}
	is, err := flattened(fresh)
	if err != nil {
		return nil, nil, fmt.Errorf("read scenario %s of the new run: %w", name, err)
	}
	for _, field := range results.Names(was, is) {
		d := results.Difference{What: field + " of scenario " + name, Old: was[field], New: is[field]}
		part, _, _ := strings.Cut(field, ".")
		switch {
		case d.Old == d.New:
		case slices.Contains([]string{"title", "description", "modes", "baseline", "blocks", "points", "control", "slo", "validity"}, part):
			// They decide which numbers there are and what is said of them, and none of them.
		case slices.Contains([]string{"batching", "proxy", "ipvs", "ebpf"}, part):
			settings = append(settings, d)
		default:
			work = append(work, d)
		}
	}
	return settings, work, nil
}

// flattened are the fields of a scenario by path, with the defaults of this version: one
// that an older version did not know is then no difference.
func flattened(text string) (map[string]string, error) {
	if s, err := scenarios.Parse("scenario", []byte(text)); err == nil {
		full, err := scenarios.Marshal(s)
		if err != nil {
			return nil, err
		}
		text = string(full)
	} // else of another version, which says for itself what it did
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
