package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svcbench/internal/results"
)

// machine describes what the run ran on.
func machine(e results.Environment) []pair {
	all := []pair{
		{"Kernel", e.Kernel},
		{"Kernel command line", e.KernelCmdline},
		{"Operating system", e.OS},
		{"Architecture", e.Arch},
		{"CPU", e.CPUModel},
		{"CPUs", fmt.Sprint(e.CPUs)},
		{"Memory", format(Number(e.MemoryBytes), "bytes")},
		{"Virtualized", e.Virtualized},
		{"Clock source", e.ClockSource},
		{"Load before the run", strings.Trim(fmt.Sprint(e.Load), "[]")},
		{"svcbench", strings.TrimSpace(e.Svcbench + " " + e.GitCommit)},
	}
	return slices.DeleteFunc(all, func(p pair) bool { return p.Value == "" || p.Value == "0" || p.Value == "0 GiB" })
}

// environment lists the rest of the environment, sorted by name.
func environment(e results.Environment) []pairs {
	var all []pairs
	for _, part := range []struct {
		title  string
		values map[string]string
	}{{"Versions", e.Versions}, {"Hardware", e.Hardware}, {"Network of the provider", e.Facts}, {"Kernel settings", e.Sysctls}} {
		if len(part.values) == 0 {
			continue
		}
		p := pairs{Title: part.title}
		for _, name := range slices.Sorted(maps.Keys(part.values)) {
			p.Pairs = append(p.Pairs, pair{name, part.values[name]})
		}
		all = append(all, p)
	}
	return all
}

// trialTable lists the trials in the order in which they ran.
func (a *analysis) trialTable() table {
	t := table{Head: []string{"order", "block", "scenario", "point", "mode", "started", "duration", "status"}}
	for _, trial := range a.data.Trials {
		status := string(trial.Status)
		if trial.Error != "" {
			status += ": " + trial.Error
		}
		started, duration := dash, dash
		if !trial.Started.IsZero() {
			started = trial.Started.UTC().Format("15:04:05")
			if !trial.Finished.IsZero() {
				duration = format(Number(trial.Finished.Sub(trial.Started).Seconds()), "s")
			}
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(trial.Order), fmt.Sprint(trial.Block), trial.Scenario, pointName(trial.Point), results.ModeName(trial.Mode, trial.Variant), started, duration, status,
		})
	}
	return t
}
