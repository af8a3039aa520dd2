// Package results is the run directory: the only thing that passes from
// runners to reports. It holds counts and timestamps; percentiles, ratios
// and plots are derived from it later, as often as anyone likes.
package results

import "time"

// FormatVersion is the version of the run directory's layout.
const FormatVersion = 1

// Run is run.json: what was planned, in real order, and how far it came.
type Run struct {
	Format int `json:"format"`
	// ID is the name of the run directory.
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Finished is zero while the run is under way and after a crash.
	Finished time.Time `json:"finished,omitzero"`
	// Command is the command line that repeats the run.
	Command  string         `json:"command"`
	Seed     uint64         `json:"seed"`
	Provider string         `json:"provider"`
	Modes    []ModeStatus   `json:"modes"`
	Plan     []PlannedTrial `json:"plan"`
	// Scenarios are the scenarios as they were run, after defaults and
	// command-line overrides, in the order asked for.
	Scenarios []ScenarioInfo `json:"scenarios"`
	// Rates are the rates of connections that were chosen for scenarios that leave them
	// open; what that rests on is in the folder PilotFolder.
	Rates []ChosenRate `json:"rates,omitempty"`
	// Interrupted says why the run ended early; empty when it did not.
	Interrupted string `json:"interrupted,omitempty"`
}

// ChosenRate is a rate of new connections that every mode keeps up with.
type ChosenRate struct {
	Scenario string `json:"scenario"`
	// Rate is in connections a second.
	Rate int `json:"rate"`
	// Point is where it was tried, and Saturation the highest rate there that each mode
	// keeps up with; see ConnectSaturation.
	Point      Point              `json:"point"`
	Saturation map[string]float64 `json:"saturation"`
	// Untrusted says why one of these cannot be trusted; empty if all can.
	Untrusted string `json:"untrusted,omitempty"`
}

// ModeStatus says whether a mode is part of the run.
type ModeStatus struct {
	Mode string `json:"mode"`
	// Included is true when the mode was measured.
	Included bool `json:"included"`
	// Because is why the mode was not run.
	Because string `json:"because,omitempty"`
}

// ScenarioInfo is what a report needs to know of a scenario.
type ScenarioInfo struct {
	Name        string  `json:"name"`
	Title       string  `json:"title"`
	Description string  `json:"description,omitempty"`
	Baseline    string  `json:"baseline"`
	Blocks      int     `json:"blocks"`
	Points      []Point `json:"points"`
	// YAML is the whole scenario after defaults and overrides.
	YAML string `json:"yaml"`
}

// PlannedTrial is one entry of the plan.
type PlannedTrial struct {
	ID       string `json:"id"`
	Scenario string `json:"scenario"`
	Point    Point  `json:"point"`
	Mode     string `json:"mode"`
	// Variant is what the mode is set up as; see ModeName.
	Variant string `json:"variant,omitempty"`
	Block   int    `json:"block"`
	Order   int    `json:"order"`
	// Estimate is the expected duration in seconds.
	Estimate float64 `json:"estimate"`
}

// Environment is environment.json: the machine and the versions, recorded
// once before the first trial. Numbers of different environments are never
// compared.
type Environment struct {
	Kernel        string `json:"kernel"`
	KernelCmdline string `json:"kernelCmdline"`
	Arch          string `json:"arch"`
	OS            string `json:"os"`
	CPUModel      string `json:"cpuModel"`
	CPUs          int    `json:"cpus"`
	MemoryBytes   int64  `json:"memoryBytes"`
	Virtualized   string `json:"virtualized,omitempty"`
	ClockSource   string `json:"clockSource"`
	// Versions maps a component or tool to its version, e.g. "kube-proxy".
	Versions map[string]string `json:"versions"`
	// Sysctls are the kernel settings that decide the result, by name.
	Sysctls map[string]string `json:"sysctls"`
	// Hardware are properties of the machine that decide the result, such as
	// the frequency governor, by name; what cannot be read is left out.
	Hardware map[string]string `json:"hardware,omitempty"`
	// Load is the load average of the last 1, 5 and 15 minutes before the
	// first trial: that of a quiet machine is near zero.
	Load []float64 `json:"load,omitempty"`
	// Svcbench is the version of the program, GitCommit its source.
	Svcbench  string `json:"svcbench"`
	GitCommit string `json:"gitCommit,omitempty"`
	// Facts are properties of the provider's network that decide the
	// result, such as whether client traffic is masqueraded.
	Facts map[string]string `json:"facts"`
}
