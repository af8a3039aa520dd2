package path

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"svcbench/internal/agent"
	"svcbench/internal/agent/identity"
)

// Costs is what the instrument itself costs a packet, in nanoseconds, as the
// kernel times it running the programs in a row on one processor
// (BPF_PROG_TEST_RUN). On a busy machine, with cold caches, it is more.
type Costs struct {
	// SYN is the time both programs spend on a SYN, or on a question over
	// UDP, that is measured.
	SYN int64 `json:"syn"`
	// Included is the part of SYN that falls between the two stamps, and so
	// into every sample: what the probe would report of a node that takes
	// no time at all. It is the median.
	Included int64 `json:"included"`
	// Other is the time both programs spend on a packet that is none of
	// their business.
	Other int64 `json:"other"`
}

// Cost measures Costs of a protocol on this machine; it takes some ten milliseconds. It uses
// programs of its own, attached to nothing. The error is an *UnsupportedError
// where the kernel cannot or may not load them.
func Cost(protocol agent.Protocol) (_ Costs, err error) {
	const (
		warm    = 1_000
		repeats = 20_000
		ring    = 1 << 20 // more than repeats samples
	)
	r, err := load(ring)
	if err != nil {
		return Costs{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()

	begin := func(n uint32) []byte { return packet(flagSYN, n) }
	if protocol == agent.UDP {
		begin = func(n uint32) []byte { return question(1<<63 + uint64(n)) }
	}
	if _, err := perRun(r.objects.Cycle, begin(0), warm); err != nil {
		return Costs{}, err
	}
	if _, err := r.collect(); err != nil {
		return Costs{}, err
	}
	// Other numbers, or these would be retransmissions.
	syn, err := perRun(r.objects.Cycle, begin(warm), repeats)
	if err != nil {
		return Costs{}, err
	}
	samples, err := r.collect()
	if err != nil {
		return Costs{}, err
	}
	if len(samples.NS) == 0 {
		return Costs{}, errors.New("cost of path probe: no samples")
	}
	slices.Sort(samples.NS)
	var other int64
	for _, p := range []*ebpf.Program{r.objects.Enter, r.objects.Leave} {
		ns, err := perRun(p, packet(flagACK, 0), repeats)
		if err != nil {
			return Costs{}, err
		}
		other += ns
	}
	return Costs{SYN: syn, Included: int64(samples.NS[len(samples.NS)/2]), Other: other}, nil
}

// perRun returns the mean nanoseconds of a run of program on data.
func perRun(program *ebpf.Program, data []byte, repeats int) (int64, error) {
	_, mean, err := program.Benchmark(data, repeats, nil)
	if errors.Is(err, ebpf.ErrNotSupported) {
		return 0, &UnsupportedError{Because: fmt.Sprintf("the kernel cannot run the probe on a made-up packet: %v", err)}
	}
	if err != nil {
		return 0, fmt.Errorf("cost of path probe: run %v: %w", program, err)
	}
	return int64(mean / time.Nanosecond), nil
}

// Flags of the TCP header (RFC 9293, 3.1).
const (
	flagSYN = 0x02
	flagACK = 0x10
)

// The layout of headers without options.
const (
	ethernetSize = 14
	ipSize       = 20
	tcpSize      = 20
	udpSize      = 8

	protocolTCP = 6
	protocolUDP = 17
)

// packet returns an Ethernet frame with an IPv4 TCP segment without options or
// data, from 10.0.0.1:40000 to 10.96.0.1:80. Checksums are zero: nothing that
// sees it looks at them.
func packet(flags byte, seq uint32) []byte {
	b := frame(protocolTCP, tcpSize)
	tcp := b[ethernetSize+ipSize:]
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flags // header words
	return b
}

// question returns an Ethernet frame with a question over UDP, of that cookie,
// between the same addresses and ports.
func question(cookie uint64) []byte {
	payload := identity.Query(cookie)
	b := frame(protocolUDP, udpSize+len(payload))
	udp := b[ethernetSize+ipSize:]
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[udpSize:], payload[:])
	return b
}

// frame returns an Ethernet frame with an IPv4 packet of that many bytes after
// the IP header, which begin with two ports.
func frame(protocol byte, size int) []byte {
	b := make([]byte, ethernetSize+ipSize+size)
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip, next := b[ethernetSize:], b[ethernetSize+ipSize:]
	ip[0] = 4<<4 | 5 // version, header words
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	ip[8], ip[9] = 64, protocol // time to live
	copy(ip[12:], []byte{10, 0, 0, 1})
	copy(ip[16:], []byte{10, 96, 0, 1})
	binary.BigEndian.PutUint16(next[0:], 40000)
	binary.BigEndian.PutUint16(next[2:], 80)
	return b
}
