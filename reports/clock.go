package reports

import (
	"fmt"

	"svcbench/internal/results"
)

// Environment is the machine of a run, with what its times count.
type Environment struct {
	results.Environment
	// Clock is "wall" or "instructions". Times of different clocks must not
	// be compared.
	Clock results.Clock `json:"clock"`
}

// unitOfTimes says what a second is.
func (e Environment) unitOfTimes() string {
	if e.Clock == results.InstructionClock {
		return "Instruction clock: times count the instructions of the virtual machine, 1 ns each. They hardly depend on how busy the machine is, and are not comparable with times of a wall clock."
	}
	return "Wall clock: times are those of the machine's monotonic clock."
}

// isEmulated reports whether instructions were executed by a program.
func (e Environment) isEmulated() bool { return e.Facts[results.FactAccel] == "tcg" }

// notice is what must stand near the title about the times of a run; empty for
// those of a real processor.
func (e Environment) notice() string {
	switch {
	case e.Clock == results.InstructionClock:
		return e.unitOfTimes()
	case e.isEmulated():
		return "Emulated processor (TCG): times are many times longer than on a real one, and move with what else the host does. Compare modes with each other, and nothing else."
	}
	return ""
}

// machineName is the virtual machine of a run; empty if there was none.
func (e Environment) machineName() string {
	name := e.Facts[results.FactVM]
	if accel := e.Facts[results.FactAccel]; name != "" && accel != "" {
		name += fmt.Sprintf(", by %s", accel)
	}
	return name
}
