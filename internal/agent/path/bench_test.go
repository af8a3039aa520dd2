package path

import (
	"testing"

	"github.com/cilium/ebpf"
)

// BenchmarkProbe reports what the probe costs a packet, as the kernel times it.
func BenchmarkProbe(b *testing.B) {
	r := loaded(b, DefaultRingBytes)
	var seq uint32 // goes on, or the later runs would be of retransmissions
	for _, bb := range []struct {
		name    string
		program *ebpf.Program
		flags   byte
	}{
		{"SYN/enter+leave", r.objects.Cycle, flagSYN},
		{"other/enter", r.objects.Enter, flagACK},
		{"other/leave", r.objects.Leave, flagACK},
	} {
		b.Run(bb.name, func(b *testing.B) {
			const most = 100_000 // what the ring has room for
			var total int64
			for left := b.N; left > 0; left -= most {
				n := min(left, most)
				ns, err := perRun(bb.program, packet(bb.flags, seq), n)
				if err != nil {
					b.Fatal(err)
				}
				seq += uint32(n)
				total += ns * int64(n)
				if _, err := r.collect(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(total)/float64(b.N), "ns/op")
		})
	}
}

// BenchmarkCollect shows how long reading a full run of samples takes.
func BenchmarkCollect(b *testing.B) {
	r := loaded(b, DefaultRingBytes)
	const samples = 200_000
	var seq uint32
	for b.Loop() {
		b.StopTimer()
		if _, err := perRun(r.objects.Cycle, packet(flagSYN, seq), samples); err != nil {
			b.Fatal(err)
		}
		seq += samples
		b.StartTimer()
		s, err := r.collect()
		if err != nil || len(s.NS) != samples {
			b.Fatalf("%d samples, %v", len(s.NS), err)
		}
	}
}
