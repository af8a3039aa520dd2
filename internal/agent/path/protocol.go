package path

// The talk: the runner sends a Spec, the agent answers with a greeting; then
// each command of the runner gets one answer. The agent ends when the runner
// closes its end, and with it everything it put into the kernel.

// Attached says that the programs are in place.
type Attached struct {
	// How is the way they were attached: "tcx" or "clsact".
	How string `json:"how"`
	// OwnCost is what the instrument costs on this machine; nil if the
	// kernel could not tell.
	OwnCost *Costs `json:"ownCost,omitempty"`
}

// Unsupported says that this place cannot take the measurement.
type Unsupported struct {
	// Because completes the sentence "not measured, because ...".
	Because string `json:"because"`
}

// greeting answers a Spec; exactly one field is set.
type greeting struct {
	Attached    *Attached    `json:"attached,omitempty"`
	Unsupported *Unsupported `json:"unsupported,omitempty"`
}

// command is what the runner asks for.
type command string

const (
	commandReset   command = "reset"   // answered by done
	commandCollect command = "collect" // answered by Samples
)

// done answers a command that has nothing to tell.
type done struct{}
