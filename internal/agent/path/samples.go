package path

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Samples is what was measured since the probe was attached, reset or last
// collected.
//
// Dst, Backend and NS are columns: the i-th entries belong to one SYN. They are
// in the order in which the SYNs left the node.
type Samples struct {
	// Dst holds the addresses the SYNs came in for, before translation:
	// the cluster IP of a Service, or a pod's when that was addressed.
	Dst Words `json:"dst"`
	// Backend holds the addresses they went out to.
	Backend Words `json:"backend"`
	// NS holds the nanoseconds they were inside, at most 2^32-1 (4.3 s; a
	// SYN is sent again after one second).
	NS Words `json:"ns"`

	// Entered counts the SYNs that came in, retransmissions included. The
	// ones that neither matched nor were retransmitted or overwritten did
	// not go out by the backend's link.
	Entered uint64 `json:"entered"`
	// Matched counts the SYNs that came in and went out.
	Matched uint64 `json:"matched"`
	// Unmatched counts the SYNs that went out without having come in: the
	// node's own connections, and those whose start was overwritten.
	Unmatched uint64 `json:"unmatched"`
	// Lost counts the SYNs that matched but are not in the columns because
	// the ring was full.
	Lost uint64 `json:"lost"`
	// Overwritten counts the SYNs whose start gave way to that of another
	// SYN before they went out.
	Overwritten uint64 `json:"overwritten"`
	// Retransmitted counts the SYNs that came in again. They are not
	// measured, nor is the first if it had not gone out by then.
	Retransmitted uint64 `json:"retransmitted"`
}

// Each calls f for every sample with the address the SYN came in for, the one
// it went out to, and the nanoseconds it was inside the node.
func (s Samples) Each(f func(dst, backend netip.Addr, ns int64)) {
	for i, dst := range s.Dst {
		f(address(dst), address(s.Backend[i]), int64(s.NS[i]))
	}
}

// check tells whether the columns are of one length.
func (s Samples) check() error {
	if len(s.Dst) != len(s.NS) || len(s.Backend) != len(s.NS) {
		return fmt.Errorf("samples of unequal length: %d destinations, %d backends, %d times", len(s.Dst), len(s.Backend), len(s.NS))
	}
	return nil
}

// add appends what one record of the ring holds: struct sample of path.bpf.c.
func (s *Samples) add(record []byte) error {
	const size = 12
	if len(record) < size {
		return fmt.Errorf("sample of %d bytes, want %d", len(record), size)
	}
	s.Dst = append(s.Dst, binary.BigEndian.Uint32(record[0:]))
	s.Backend = append(s.Backend, binary.BigEndian.Uint32(record[4:]))
	s.NS = append(s.NS, binary.NativeEndian.Uint32(record[8:]))
	return nil
}

// address returns the IPv4 address whose bytes are those of n, highest first.
func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// Words is a column of numbers. In JSON it is a string: the base64 form of the
// numbers, 4 bytes each, lowest byte first, a third of the size of an array.
type Words []uint32

// MarshalText returns the base64 form.
func (w Words) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 4*len(w))
	for _, n := range w {
		raw = binary.LittleEndian.AppendUint32(raw, n)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote.
func (w *Words) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("decode words: %w", err)
	}
	if len(raw)%4 != 0 {
		return fmt.Errorf("decode words: %d bytes are no whole number of words", len(raw))
	}
	*w = make(Words, 0, len(raw)/4)
	for ; len(raw) > 0; raw = raw[4:] {
		*w = append(*w, binary.LittleEndian.Uint32(raw))
	}
	return nil
}
