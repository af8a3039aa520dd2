package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"svcbench/internal/process"
)

// errNoPayload means that a file is no compressed kernel that is understood.
var errNoPayload = errors.New("not a compressed kernel")

// uncompress writes the kernel that is inside a bzImage to a file. An emulated
// processor would take many seconds for that, at every start; and QEMU starts
// it without a firmware, by its entry point for virtual machines (PVH).
func uncompress(ctx context.Context, image, target string) error {
	b, err := os.ReadFile(image)
	if err != nil {
		return fmt.Errorf("read kernel: %w", err)
	}
	payload, err := payloadOf(b)
	if err != nil {
		return err
	}
	program := programFor(payload)
	if program == "" {
		return errNoPayload
	}
	path, err := process.LookPath(program)
	if err != nil {
		return fmt.Errorf("uncompress kernel: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, "-dc")
	cmd.Stdin = bytes.NewReader(payload)
	kernel, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("uncompress kernel: %w", err)
	}
	// Without the note QEMU would not find the entry point.
	if !bytes.HasPrefix(kernel, []byte("\x7fELF")) || !hasEntry(kernel) {
		return errNoPayload
	}
	if err := os.WriteFile(target, kernel, 0o644); err != nil {
		return fmt.Errorf("write kernel: %w", err)
	}
	return nil
}

// payloadOf finds the compressed kernel by the header that boot loaders read
// (Documentation/arch/x86/boot.rst).
func payloadOf(image []byte) ([]byte, error) {
	const sectors, magic, offset, length, end = 0x1f1, 0x202, 0x248, 0x24c, 0x250
	if len(image) < end || string(image[magic:magic+4]) != "HdrS" {
		return nil, errNoPayload
	}
	from := uint64(image[sectors])*512 + 512 + uint64(binary.LittleEndian.Uint32(image[offset:]))
	to := from + uint64(binary.LittleEndian.Uint32(image[length:]))
	// The build has put the uncompressed size behind it, in four bytes.
	if to > uint64(len(image)) || to < from+4 {
		return nil, errNoPayload
	}
	return image[from : to-4], nil
}

// programFor names the program that uncompresses; empty if none is known.
func programFor(payload []byte) string {
	for magic, program := range map[string]string{
		"\xfd7zXZ\x00": "xz", "\x28\xb5\x2f\xfd": "zstd", "\x1f\x8b": "gzip", "\x02\x21\x4c\x18": "lz4",
	} {
		if bytes.HasPrefix(payload, []byte(magic)) {
			return program
		}
	}
	return ""
}

// hasEntry reports whether a kernel has the ELF note with its entry point for
// virtual machines (XEN_ELFNOTE_PHYS32_ENTRY).
func hasEntry(kernel []byte) bool {
	const physicalEntry = 18
	f, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		return false
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes := make([]byte, p.Filesz)
		if _, err := p.ReadAt(notes, 0); err != nil {
			return false
		}
		for len(notes) >= 12 {
			name, content := f.ByteOrder.Uint32(notes), f.ByteOrder.Uint32(notes[4:])
			kind := f.ByteOrder.Uint32(notes[8:])
			size := 12 + uint64(name+3)&^3 + uint64(content+3)&^3
			if size > uint64(len(notes)) {
				break
			}
			if kind == physicalEntry && string(notes[12:15]) == "Xen" {
				return true
			}
			notes = notes[size:]
		}
	}
	return false
}
