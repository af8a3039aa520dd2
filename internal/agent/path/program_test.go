package path

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"svcbench/internal/agent"
)

// loaded returns a loaded recorder, or skips where the kernel has no room for
// one.
func loaded(tb testing.TB, ringBytes int) *recorder {
	tb.Helper()
	r, err := load(ringBytes)
	if errors.Is(err, ErrUnsupported) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

// pass runs a program on a packet and fails if it does not hand the packet on
// as it was.
func pass(t *testing.T, program *ebpf.Program, data []byte) {
	t.Helper()
	const next = 0xffffffff // TCX_NEXT, TC_ACT_UNSPEC
	opts := ebpf.RunOptions{Data: data, DataOut: make([]byte, len(data))}
	verdict, err := program.Run(&opts)
	if err != nil {
		t.Fatalf("run %v on %d bytes: %v", program, len(data), err)
	}
	if verdict != next {
		t.Errorf("%v returned %#x, want %#x", program, verdict, uint32(next))
	}
	if !bytes.Equal(opts.DataOut, data) {
		t.Errorf("%v changed the packet:\n%x\n%x", program, data, opts.DataOut)
	}
}

func collected(t *testing.T, r *recorder) Samples {
	t.Helper()
	s, err := r.collect()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	return s
}

// counts is Samples with times left out, which no two runs share.
func counts(s Samples) Samples {
	s.NS = nil
	return s
}

// edit returns a SYN that f has changed.
func edit(f func(b []byte)) []byte {
	b := packet(flagSYN, 1)
	f(b)
	return b
}

// editQuestion returns a question that f has changed.
func editQuestion(f func(b []byte) []byte) []byte { return f(question(1 << 63)) }

// withIPOptions returns a SYN with an IP header of that many words.
func withIPOptions(words int) []byte {
	b := packet(flagSYN, 1)
	b[14] = byte(4<<4 | words)
	options := bytes.Repeat([]byte{1}, 4*(words-5)) // "no operation"
	return slices.Insert(b, 34, options...)
}

func TestOnlyFirstPacketsAreTimed(t *testing.T) {
	const (
		etherType = 12
		fragment  = 14 + 6
		protocol  = 14 + 9
		flags     = 34 + 13
		udpLength = 34 + 4
	)
	tests := []struct {
		name   string
		packet []byte
		timed  bool
	}{
		{"SYN", packet(flagSYN, 1), true},
		{"SYN asking for ECN", packet(flagSYN|0xc0, 1), true},
		{"SYN with data", append(packet(flagSYN, 1), "hello"...), true},
		{"SYN, don't fragment", edit(func(b []byte) { b[fragment] = 0x40 }), true},
		{"SYN with 4 bytes of IP options", withIPOptions(6), true},
		{"SYN with 40 bytes of IP options", withIPOptions(15), true},
		{"SYN-ACK", packet(flagSYN|flagACK, 1), false},
		{"ACK", packet(flagACK, 1), false},
		{"RST", packet(0x04, 1), false},
		{"SYN and RST", packet(flagSYN|0x04, 1), false},
		{"SYN and FIN", packet(flagSYN|0x01, 1), false},
		{"no flags", packet(0, 1), false},
		{"first fragment", edit(func(b []byte) { b[fragment] = 0x20 }), false},
		{"later fragment", edit(func(b []byte) { b[fragment+1] = 0x10 }), false},
		{"IP header shorter than possible", edit(func(b []byte) { b[14] = 0x44 }), false},
		{"IP header longer than the packet", edit(func(b []byte) { b[14] = 0x4f }), false},
		{"UDP", edit(func(b []byte) { b[protocol] = 17 }), false},
		{"question", question(1 << 63), true},
		{"padded question", append(question(1<<63), 0), true},
		{"longer datagram", editQuestion(func(b []byte) []byte { b[udpLength+1]++; return append(b, 0) }), false},
		{"question cut short", question(1 << 63)[:57], false},
		{"other datagram of that length", editQuestion(func(b []byte) []byte { b[49]++; return b }), false},
		{"fragment of a question", editQuestion(func(b []byte) []byte { b[fragment] = 0x20; return b }), false},
		{"IPv6", edit(func(b []byte) { b[etherType], b[etherType+1] = 0x86, 0xdd }), false},
		{"ARP", edit(func(b []byte) { b[etherType+1] = 0x06 }), false},
		{"VLAN tag in the packet", slices.Insert(packet(flagSYN, 1), etherType, 0x81, 0x00, 0x00, 0x05), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := loaded(t, DefaultRingBytes)
			pass(t, r.objects.Enter, tt.packet)
			pass(t, r.objects.Leave, tt.packet)
			want := Samples{}
			if tt.timed {
				want = Samples{Dst: Words{0x0a600001}, Backend: Words{0x0a600001}, Entered: 1, Matched: 1}
			}
			if diff := cmp.Diff(want, counts(collected(t, r))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCutShort(t *testing.T) {
	r := loaded(t, DefaultRingBytes)
	const shortest = 14 + 20 // the kernel does not make up an IPv4 packet without its header
	for _, whole := range [][]byte{packet(flagSYN, 1), withIPOptions(15), question(1 << 63)} {
		for n := shortest; n < len(whole); n++ {
			pass(t, r.objects.Enter, whole[:n])
			pass(t, r.objects.Leave, whole[:n])
		}
	}
	if diff := cmp.Diff(Samples{}, collected(t, r)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// syn is a SYN to be edited by its fields.
type syn struct {
	src, dst string
	seq      uint32
}

func (s syn) bytes(t *testing.T) []byte {
	t.Helper()
	src, err := netip.ParseAddrPort(s.src)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := netip.ParseAddrPort(s.dst)
	if err != nil {
		t.Fatal(err)
	}
	return edit(func(b []byte) {
		copy(b[26:], src.Addr().AsSlice())
		copy(b[30:], dst.Addr().AsSlice())
		binary.BigEndian.PutUint16(b[34:], src.Port())
		binary.BigEndian.PutUint16(b[36:], dst.Port())
		binary.BigEndian.PutUint32(b[38:], s.seq)
	})
}

// slotOf is place in path.bpf.c.
func slotOf(seq uint32) uint32 { return uint32(uint64(seq) * 0x9e3779b97f4a7c15 >> (64 - 18)) }

// sameSlot returns another sequence number with the slot of seq.
func sameSlot(seq uint32) uint32 {
	for other := seq + 1; ; other++ {
		if slotOf(other) == slotOf(seq) {
			return other
		}
	}
}

func TestMatching(t *testing.T) {
	const (
		vip     = 0x0a600001
		pod     = 0x0a020007
		seq     = 0xdeadbeef
		viaNode = "10.1.0.1:61000"
	)
	var (
		sent  = syn{"10.1.0.2:40000", "10.96.0.1:80", seq}
		dnat  = syn{"10.1.0.2:40000", "10.2.0.7:8080", seq}
		masq  = syn{viaNode, "10.2.0.7:8080", seq}
		rival = syn{"10.1.0.3:50000", "10.96.0.1:80", sameSlot(seq)}
		again = syn{"10.1.0.3:50000", "10.96.0.1:80", seq}
	)
	type step struct {
		in  *syn
		out *syn
	}
	tests := []struct {
		name  string
		steps []step
		want  Samples
	}{
		{
			"addresses and ports change",
			[]step{{in: &sent}, {out: &masq}},
			Samples{Dst: Words{vip}, Backend: Words{pod}, Entered: 1, Matched: 1},
		}, {
			"dropped inside",
			[]step{{in: &sent}},
			Samples{Entered: 1},
		}, {
			"not from the client",
			[]step{{out: &dnat}},
			Samples{Unmatched: 1},
		}, {
			"leaves twice",
			[]step{{in: &sent}, {out: &dnat}, {out: &dnat}},
			Samples{Dst: Words{vip}, Backend: Words{pod}, Entered: 1, Matched: 1},
		}, {
			"first is lost inside and sent again",
			[]step{{in: &sent}, {in: &sent}, {out: &dnat}},
			Samples{Entered: 2, Retransmitted: 1},
		}, {
			"first goes out but is not answered and sent again",
			[]step{{in: &sent}, {out: &dnat}, {in: &sent}, {out: &dnat}},
			Samples{Dst: Words{vip}, Backend: Words{pod}, Entered: 2, Matched: 1, Retransmitted: 1},
		}, {
			"sent three times",
			[]step{{in: &sent}, {in: &sent}, {in: &sent}, {out: &dnat}, {out: &dnat}},
			Samples{Entered: 3, Retransmitted: 2},
		}, {
			"sequence number used again by another connection",
			[]step{{in: &sent}, {out: &dnat}, {in: &again}, {out: &again}},
			Samples{Dst: Words{vip, vip}, Backend: Words{pod, vip}, Entered: 2, Matched: 2},
		}, {
			"two at once in one slot",
			[]step{{in: &sent}, {in: &rival}, {out: &dnat}, {out: &rival}},
			Samples{Dst: Words{vip}, Backend: Words{vip}, Entered: 2, Matched: 1, Overwritten: 1, Unmatched: 1},
		}, {
			"one after the other in one slot",
			[]step{{in: &sent}, {out: &dnat}, {in: &rival}, {out: &rival}},
			Samples{Dst: Words{vip, vip}, Backend: Words{pod, vip}, Entered: 2, Matched: 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := loaded(t, DefaultRingBytes)
			for _, s := range tt.steps {
				if s.in != nil {
					pass(t, r.objects.Enter, s.in.bytes(t))
				} else {
					pass(t, r.objects.Leave, s.out.bytes(t))
				}
			}
			got := collected(t, r)
			if slices.Contains(got.NS, 0) {
				t.Errorf("a SYN took no time: %v", got.NS)
			}
			if diff := cmp.Diff(tt.want, counts(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFullRing(t *testing.T) {
	r := loaded(t, 4096)
	const syns, recordBytes = 1000, 24
	if _, err := perRun(r.objects.Cycle, packet(flagSYN, 1), syns); err != nil {
		t.Fatal(err)
	}
	s := collected(t, r)
	if kept := len(s.NS); kept == 0 || kept > 4096/recordBytes {
		t.Errorf("%d samples kept, want 1 to %d", kept, 4096/recordBytes)
	}
	if s.Entered != syns || s.Matched != syns || s.Lost != syns-uint64(len(s.NS)) {
		t.Errorf("entered %d, matched %d, lost %d, kept %d of %d", s.Entered, s.Matched, s.Lost, len(s.NS), syns)
	}
	if diff := cmp.Diff(Samples{}, collected(t, r)); diff != "" {
		t.Errorf("collect did not forget what it returned (-want +got)\n%s", diff)
	}
	if _, err := perRun(r.objects.Cycle, packet(flagACK, 1), syns); err != nil {
		t.Fatal(err)
	}
	if s := collected(t, r); s.Entered != 0 {
		t.Errorf("%d of %d ACKs were taken for SYNs", s.Entered, syns)
	}
}

// Questions over UDP are told apart by their cookies, all 8 bytes of them.
func TestMatchingQuestions(t *testing.T) {
	const vip, pod = 0x0a600001, 0x0a020007
	translated := func(b []byte) []byte {
		copy(b[26:], []byte{10, 1, 0, 1}) // masqueraded
		copy(b[30:], []byte{10, 2, 0, 7})
		binary.BigEndian.PutUint16(b[34:], 61000)
		binary.BigEndian.PutUint16(b[36:], 8080)
		return b
	}
	const cookie = 0xdeadbeef_01234567
	r := loaded(t, DefaultRingBytes)
	pass(t, r.objects.Enter, question(cookie))
	pass(t, r.objects.Enter, packet(flagSYN, 0x01234567)) // the end of the cookie
	pass(t, r.objects.Leave, translated(question(cookie^1<<40)))
	pass(t, r.objects.Leave, translated(question(cookie)))
	pass(t, r.objects.Enter, question(cookie)) // again
	pass(t, r.objects.Leave, translated(question(cookie)))
	want := Samples{Dst: Words{vip}, Backend: Words{pod}, Entered: 3, Matched: 1, Unmatched: 1, Retransmitted: 1}
	if diff := cmp.Diff(want, counts(collected(t, r))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCost(t *testing.T) {
	for _, protocol := range []agent.Protocol{agent.TCP, agent.UDP} {
		c, err := Cost(protocol)
		if errors.Is(err, ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.SYN <= 0 || c.Other < 0 || c.Included <= 0 || c.Included > c.SYN {
			t.Errorf("impossible costs of %s: %+v", protocol, c)
		}
	}
}
