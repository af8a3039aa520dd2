package results

// The names in Environment.Facts of what a reader must know of the virtual
// machine that a run was inside of.
const (
	// FactVM is its kernel; there is none for a run on the machine itself.
	FactVM = "vm"
	// FactClock is what its time goes by, a Clock.
	FactClock = "vm.clock"
	// FactAccel is how it executed instructions: "kvm", or "tcg" for
	// emulation.
	FactAccel = "vm.accel"
)

// Clock is what times count. Times of different clocks are never compared.
type Clock string

// The clocks.
const (
	// WallClock is the time that has passed.
	WallClock Clock = "wall"
	// InstructionClock counts the instructions of a virtual machine, one a
	// nanosecond.
	InstructionClock Clock = "instructions"
)

// Clock is that of all trials in the environment.
func (e Environment) Clock() Clock {
	if c := Clock(e.Facts[FactClock]); c != "" {
		return c
	}
	return WallClock
}

// Or is c, or the other clock where c is unknown: trials of the first
// versions do not say it.
func (c Clock) Or(other Clock) Clock {
	if c == "" {
		return other
	}
	return c
}
