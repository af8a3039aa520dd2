package vm

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"svcbench/clusters/vm/kernel"
	"svcbench/internal/failure"
)

// Clock is what a guest's time goes by.
type Clock string

// The clocks.
const (
	// Wall is the time of the host.
	Wall Clock = "wall"
	// Instructions counts the guest's instructions, one a nanosecond: what
	// else the host does then changes no result.
	Instructions Clock = "instructions"
)

// Accel is how a guest's instructions are executed.
type Accel string

// The ways.
const (
	// Auto is KVM where a guest really boots with it, and TCG elsewhere.
	Auto Accel = "auto"
	// KVM is the host's processor.
	KVM Accel = "kvm"
	// TCG is emulation.
	TCG Accel = "tcg"
)

// Windows says how much of a scenario's load is measured with the instruction
// clock.
type Windows string

// The ways.
const (
	// ShortWindows is a part of it.
	ShortWindows Windows = "short"
	// FullWindows is all of it.
	FullWindows Windows = "full"
)

// Spec is a virtual machine as the user asks for it.
type Spec struct {
	// Kernel is one of kernel.Names, or the path of a kernel.
	Kernel string
	// Modules is the folder of the modules of a kernel given by its path.
	Modules string
	Clock   Clock
	// Memory is in MiB.
	Memory int
	CPUs   int
	Accel  Accel
	// Machines is how many run at a time; 0 leaves it to AtATime.
	Machines int
	// Windows is for the instruction clock alone, and else FullWindows.
	Windows Windows
}

// grammar is the hint of every error about a Spec.
func grammar() string {
	return "--vm kernel=" + strings.Join(kernel.Names(), "|") + "|/PATH[,modules=/PATH][,clock=wall|instructions][,memory=6G][,cpus=2][,accel=auto|kvm|tcg][,machines=2][,windows=short|full]"
}

// ParseSpec reads a Spec from the text of a flag: pairs KEY=VALUE with commas
// between them. Every error is a usage error that names what is accepted.
func ParseSpec(text string) (Spec, error) {
	s := Spec{Clock: Wall, Memory: 6 << 10, Accel: Auto}
	var seen []string
	err := errors.New("it names no kernel")
	for _, pair := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok || value == "":
			err = fmt.Errorf("%q is no KEY=VALUE", pair)
		case slices.Contains(seen, key):
			err = fmt.Errorf("%s is there twice", key)
		default:
			err = s.set(key, value)
		}
		if err != nil {
			break
		}
		seen = append(seen, key)
	}
	if err == nil {
		err = s.complete()
	}
	if err != nil {
		return Spec{}, failure.New(failure.Usage, fmt.Errorf("invalid --vm %q: %w", text, err), grammar())
	}
	return s, nil
}

// set sets one key.
func (s *Spec) set(key, value string) error {
	var err error
	switch key {
	case "kernel":
		s.Kernel = value
	case "modules":
		s.Modules = value
	case "clock":
		s.Clock, err = oneOf(key, value, Wall, Instructions)
	case "accel":
		s.Accel, err = oneOf(key, value, Auto, KVM, TCG)
	case "windows":
		s.Windows, err = oneOf(key, value, ShortWindows, FullWindows)
	case "memory":
		s.Memory, err = parseMemory(value)
	case "cpus":
		s.CPUs, err = parseCount(key, value)
	case "machines":
		s.Machines, err = parseCount(key, value)
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

func oneOf[T ~string](key, value string, allowed ...T) (T, error) {
	if !slices.Contains(allowed, T(value)) {
		return "", fmt.Errorf("%s cannot be %q", key, value)
	}
	return T(value), nil
}

func parseCount(key, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 64 {
		return 0, fmt.Errorf("%s is %q, and must be from 1 to 64", key, value)
	}
	return n, nil
}

// parseMemory reads a size such as 6G or 6144M, in MiB.
func parseMemory(text string) (int, error) {
	unit := map[byte]int{'G': 1 << 10, 'M': 1}[text[len(text)-1]]
	n, err := strconv.Atoi(text[:len(text)-1])
	// The programs of a cluster and the root's upper layer need this much.
	const least, most = 2 << 10, 1 << 20
	if err != nil || unit == 0 || n > most || n*unit < least || n*unit > most {
		return 0, fmt.Errorf("memory is %q, and must be a size such as 6G or 6144M, 2G or more", text)
	}
	return n * unit, nil
}

// complete checks what depends on each other, and fills in what was left out.
func (s *Spec) complete() error {
	path := filepath.IsAbs(s.Kernel)
	switch {
	case s.Kernel == "":
		return errors.New("it names no kernel")
	case !path && !slices.Contains(kernel.Names(), s.Kernel):
		return fmt.Errorf("kernel cannot be %q", s.Kernel)
	case path && !filepath.IsAbs(s.Modules):
		return errors.New("a kernel given by its path needs modules=/PATH")
	case !path && s.Modules != "":
		return errors.New("modules is for a kernel given by its path")
	case s.Clock == Instructions && s.CPUs > 1:
		return errors.New("the instruction clock is that of one processor: leave out cpus")
	case s.Clock == Wall && s.Machines > 1:
		return errors.New("only with the instruction clock do machines not disturb each other: leave out machines")
	case s.Clock == Wall && s.Windows == ShortWindows:
		return errors.New("only with the instruction clock are windows shorter: leave out windows")
	case s.Clock == Instructions && s.Accel == KVM:
		return errors.New("the instruction clock needs emulation: leave out accel")
	}
	if s.Clock == Instructions {
		s.CPUs, s.Accel = 1, TCG
	}
	if s.Windows == "" {
		s.Windows = map[Clock]Windows{Instructions: ShortWindows, Wall: FullWindows}[s.Clock]
	}
	if s.CPUs == 0 {
		s.CPUs = min(2, runtime.NumCPU())
	}
	return nil
}

// String is the Spec as a flag.
func (s Spec) String() string {
	pairs := []string{"kernel=" + s.Kernel}
	if s.Modules != "" {
		pairs = append(pairs, "modules="+s.Modules)
	}
	pairs = append(pairs, "clock="+string(s.Clock), fmt.Sprintf("memory=%dM", s.Memory), fmt.Sprintf("cpus=%d", s.CPUs), "accel="+string(s.Accel))
	if s.Clock == Instructions {
		pairs = append(pairs, "windows="+string(s.Windows))
	}
	if s.Machines > 0 {
		pairs = append(pairs, fmt.Sprintf("machines=%d", s.Machines))
	}
	return strings.Join(pairs, ",")
}
