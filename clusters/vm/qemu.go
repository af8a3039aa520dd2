package vm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"svcbench/clusters/vm/wire"
)

// emulator is QEMU's program.
const emulator = "qemu-system-x86_64"

// codeBuffer is the room, in MiB, for the code that QEMU makes of a guest's
// programs. A cluster's would not fit into what it reserves by default, and
// would be made again and again.
const codeBuffer = 1024

// hardware is one start of a virtual machine.
type hardware struct {
	spec      Spec
	accel     Accel // what Spec.Accel has turned out to be
	image     string
	initramfs string
	// share is the host's folder that the guest may write to; empty means
	// none.
	share string
	// console is the file that gets what the kernel prints.
	console string
	// seed is that of the machine's randomness.
	seed uint64
	// start is what the guest's clock shows at first.
	start time.Time
}

// arguments are QEMU's. Its standard input and output are the port to the
// guest, so that a QEMU whose svcbench has died has nobody to talk to, and no
// file is needed for it.
func (h hardware) arguments() []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "q35", "-m", fmt.Sprintf("%dM", h.spec.Memory), "-smp", strconv.Itoa(h.spec.CPUs),
	}
	args = append(args, h.execution()...)
	args = append(args,
		"-kernel", h.image, "-initrd", h.initramfs, "-append", h.commandLine(),
		"-rtc", "base="+h.start.UTC().Format("2006-01-02T15:04:05")+",clock="+h.rtcClock(),
		"-chardev", "file,id=console,path="+escape(h.console), "-serial", "chardev:console",
		"-chardev", "stdio,id=port,signal=off", "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name="+wire.Port,
		"-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
		"-device", "virtio-9p-pci,fsdev=root,mount_tag="+wire.RootTag,
	)
	if h.share != "" {
		args = append(args,
			"-fsdev", "local,id=share,path="+escape(h.share)+",security_model=none,multidevs=remap",
			"-device", "virtio-9p-pci,fsdev=share,mount_tag="+wire.ShareTag)
	}
	return args
}

// execution says how instructions are executed, and what time is.
func (h hardware) execution() []string {
	if h.accel == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	buffer := fmt.Sprintf(",tb-size=%d", codeBuffer)
	// A processor that moves strings fast makes kernels clear and copy memory
	// with one instruction a byte, which emulation executes, and counts, one
	// by one.
	const cpu = "max,-erms,-fsrm"
	if h.spec.Clock == Instructions {
		return []string{
			"-accel", "tcg,thread=single" + buffer, "-cpu", cpu,
			// An instruction takes a nanosecond. An idle guest does not wait:
			// its clock jumps to when something is due.
			"-icount", "shift=0,sleep=off",
			"-seed", strconv.FormatUint(h.seed, 10),
		}
	}
	return []string{"-accel", "tcg,thread=multi" + buffer, "-cpu", cpu}
}

func (h hardware) rtcClock() string {
	if h.spec.Clock == Instructions {
		return "vm"
	}
	return "host"
}

// commandLine is that of the kernel. What follows the dashes are the arguments
// of the first process.
func (h hardware) commandLine() string {
	words := []string{
		"console=ttyS0", "loglevel=4", "panic=-1", "rdinit=" + wire.ProgramFile,
		// Emulation pays dearly for what protects a processor it does not
		// have, and nobody in the guest is to be protected from another.
		"mitigations=off",
	}
	if h.spec.Clock == Instructions {
		// The same addresses every time. (Where the kernel itself is follows
		// from the machine's seed. There is "nokaslr", but kernels hand on
		// what they do not know to the first process, and count that in.)
		words = append(words, "norandmaps")
	}
	return strings.Join(append(words, "--", InitCommand), " ")
}

// escape writes a path as a value of QEMU's options.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }
