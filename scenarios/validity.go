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
	// Late is the largest share of connections that may begin only after the next one was
	// due: the machine, or the mode, has no time for that many.
	Late float64 `yaml:"late,omitempty" json:"late,omitempty"`
	// Unsent is the largest share of connections or requests that may never be begun,
	// because the client could not keep up: what waits longest would be missing.
	Unsent float64 `yaml:"unsent,omitempty" json:"unsent,omitempty"`
	// Failed is the largest share of connections or requests that may have no answer:
	// those with one would be the fast ones.
	Failed float64 `yaml:"failed,omitempty" json:"failed,omitempty"`
	// Paused is the largest share of the time in which a client may stand still to
	// collect garbage.
	Paused float64 `yaml:"paused,omitempty" json:"paused,omitempty"`
	// Clock is the most by which the clock of the machine was set.
	Clock Duration `yaml:"clock,omitempty" json:"clock,omitempty"`
}

// The limits of scenarios that say nothing else.
const (
	DefaultOthers = 0.10
	DefaultSteal  = 0.10
	DefaultMemory = 0.05
	// DefaultConntrack lets pass that two connections meet at one place of the table.
	DefaultConntrack = 10
	// DefaultDrift is what happens when a machine changes its speed, and not by chance.
	DefaultDrift = 0.5
	// DefaultLate is when lateness is no longer that of a few wake-ups.
	DefaultLate = 0.1
	// DefaultUnsent and DefaultFailed are as much as may be missing from a distribution
	// before its 99th percentile is another's.
	DefaultUnsent = 0.01
	DefaultFailed = 0.01
	// DefaultPaused is what a 99th percentile begins to feel.
	DefaultPaused = 0.01
	// DefaultClock is what time daemons set at once rather than bit by bit.
	DefaultClock = Duration(50 * time.Millisecond)
)

func (v *Validity) setDefaults() {
	setDefault(&v.Others, DefaultOthers)
	setDefault(&v.Steal, DefaultSteal)
	setDefault(&v.Memory, DefaultMemory)
	setDefault(&v.Conntrack, DefaultConntrack)
	setDefault(&v.Drift, DefaultDrift)
	setDefault(&v.Late, DefaultLate)
	setDefault(&v.Unsent, DefaultUnsent)
	setDefault(&v.Failed, DefaultFailed)
	setDefault(&v.Paused, DefaultPaused)
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
		share.as("validity.late", "Share of the connections that began only after the next one was due.", DefaultLate),
		share.as("validity.unsent", "Share of the connections or requests that were never begun, because the client could not keep up.", DefaultUnsent),
		share.as("validity.failed", "Share of the connections or requests that had no answer.", DefaultFailed),
		share.as("validity.paused", "Share of the time in which a client stood still to collect garbage.", DefaultPaused),
		duration.as("validity.clock", "By how much the clock was set.", DefaultClock),
	}
}
