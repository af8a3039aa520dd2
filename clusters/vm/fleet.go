package vm

import (
	"fmt"
	"runtime"

	"github.com/prometheus/procfs"

	"svcbench/internal/failure"
)

// AtATime is how many such machines run here at a time without an influence on
// results. With the clock of the wall that is one. With the instruction clock
// it is what the user wants, or as many as there are processors and memory for
// them.
func (s Spec) AtATime() (int, error) {
	switch {
	case s.Clock != Instructions:
		return 1, nil
	case s.Machines > 0:
		return s.Machines, nil
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, memoryUnknown(err)
	}
	memory, err := proc.Meminfo()
	if err != nil {
		return 0, memoryUnknown(err)
	}
	var available uint64 // in KiB; kernels since 3.14 say it
	if memory.MemAvailable != nil {
		available = *memory.MemAvailable
	}
	const itself = 256 // MiB, of QEMU
	return max(1, min(runtime.NumCPU(), int(available>>10)/(s.Memory+codeBuffer+itself))), nil
}

func memoryUnknown(err error) error {
	return failure.New(failure.Environment, fmt.Errorf("find out how much memory there is: %w", err), "say how many machines are to run at a time, such as with machines=1")
}
