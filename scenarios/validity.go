package scenarios

import "time"

// Validity are the limits above which a trial cannot be trusted, because the machine
// did other things while it was measured.
type Validity struct {
	// Others is the most CPU time of other programs, in processors: 0.1 is a tenth of
	// one.
	Others float64 `yaml:"others,omitempty" json:"others,omitempty"`
	// Steal is the most CPU time that a hypervisor took away, in processors.
	Steal float64 `yaml:"steal,omitempty" json:"steal,omitempty"`
	// Memory is the largest share of the time in which something waited for memory.
	Memory float64 `yaml:"memory,omitempty" json:"memory,omitempty"`
	// Conntrack is how many connections the node's table of connections may refuse or
	// throw out.
	Conntrack int `yaml:"conntrack,omitempty" json:"conntrack,omitempty"`
	// Drift is the share by which connections in one half of the measurement may be
	// slower than in the other.
	Drift float64 `yaml:"drift,omitempty" json:"drift,omitempty"`
	// Unsent is the largest share of connections that may not have been begun when they
	// were due, because the client could not keep up: what waits longest would be missing.
	Unsent float64 `yaml:"unsent,omitempty" json:"unsent,omitempty"`
	// Clock is the most by which the clock of the machine was set.
	Clock Duration `yaml:"clock,omitempty" json:"clock,omitempty"`
}

// The limits of scenarios that say nothing else.
const (
	DefaultOthers = 0.10
	DefaultSteal  = 0.05
	DefaultMemory = 0.05
	// DefaultConntrack lets pass that two connections meet at one place of the table.
	DefaultConntrack = 10
	// DefaultDrift is what happens when a machine changes its speed, and not by chance.
	DefaultDrift = 0.5
	// DefaultUnsent is as much as may fail before a number is not compared.
	DefaultUnsent = 0.01
	// DefaultClock is what time daemons set at once rather than bit by bit.
	DefaultClock = Duration(50 * time.Millisecond)
)

func (v *Validity) setDefaults() {
	setDefault(&v.Others, DefaultOthers)
	setDefault(&v.Steal, DefaultSteal)
	setDefault(&v.Memory, DefaultMemory)
	setDefault(&v.Conntrack, DefaultConntrack)
	setDefault(&v.Drift, DefaultDrift)
	setDefault(&v.Unsent, DefaultUnsent)
	setDefault(&v.Clock, DefaultClock)
}

func validityFields() []field {
	processors := field{max: 1024, above: true}
	share := field{max: 1, above: true}
	duration := field{max: MaxDuration.Std().Seconds(), above: true}
	return []field{
		{path: "slo", about: "What numbers should be in every mode and at every point, such as connect.p99 < 2ms: by the upper end of the interval, where there is one. A run that misses one ends with exit code 3.", maxItems: MaxObjectives},
		{path: "slo[]", pattern: objectivePattern, format: "a metric with its percentile, <, and a number with ns, us, ms, s, m, h, B, KiB, MiB, GiB or no unit"},
		{path: "validity", about: "Limits above which a trial cannot be trusted, and is not compared: what the machine did beside it while something was measured."},
		processors.as("validity.others", "CPU time of other programs, in processors. Not known in kind clusters.", DefaultOthers),
		processors.as("validity.steal", "CPU time that a hypervisor took away, in processors.", DefaultSteal),
		share.as("validity.memory", "Share of the time in which something waited for memory, where the kernel counts that.", DefaultMemory),
		field{min: 1, max: 1 << 30}.as("validity.conntrack", "Connections that the node's table of connections may refuse or throw out. Not known in kind clusters.", DefaultConntrack),
		field{max: 1000, above: true}.as("validity.drift", "Share by which connections in one half of the measurement may be slower than in the other (medians).", DefaultDrift),
		share.as("validity.unsent", "Share of the connections that were never begun, because the client could not keep up.", DefaultUnsent),
		duration.as("validity.clock", "By how much the clock was set.", DefaultClock),
	}
}
