package path

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// recorder is the instrument inside the kernel: the programs, not yet attached
// to anything, and what they write to.
type recorder struct {
	objects bpfObjects
	ring    *ringbuf.Reader
	// base holds the counters at the last collect. The kernel's are never
	// set back, which could not be done without missing a packet.
	base [bpfCounterCOUNTERS]uint64
}

// load puts the programs and maps into the kernel. They vanish with Close or
// with the process. It returns an *UnsupportedError where the kernel cannot or
// may not take them.
func load(ringBytes int) (*recorder, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, loadError(fmt.Errorf("raise the limit of locked memory: %w", err))
	}
	// Without this question a kernel without rings answers "invalid argument".
	if err := features.HaveMapType(ebpf.RingBuf); err != nil {
		return nil, loadError(fmt.Errorf("BPF ring buffer: %w", err))
	}
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("read path probe: %w", err)
	}
	spec.Maps[bpfMapSamples].MaxEntries = uint32(ringBytes)
	r := &recorder{}
	if err := spec.LoadAndAssign(&r.objects, nil); err != nil {
		return nil, loadError(err)
	}
	r.ring, err = ringbuf.NewReader(r.objects.Samples)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ring of samples: %w", err), r.objects.Close())
	}
	return r, nil
}

// loadError tells a kernel that will never load the probe from a failure that
// says nothing about that. A program that the verifier refuses is a failure:
// its EACCES is not about permission.
func loadError(err error) error {
	switch {
	case errors.Is(err, ebpf.ErrNotSupported):
		return &UnsupportedError{Because: fmt.Sprintf("the kernel lacks what the probe needs: %v", err)}
	case errors.Is(err, unix.EPERM):
		return &UnsupportedError{Because: fmt.Sprintf("this process may not load BPF programs (that takes root, or CAP_BPF and CAP_NET_ADMIN): %v", err)}
	}
	return fmt.Errorf("load path probe: %w", err)
}

// collect returns everything since the last collect. While SYNs are passing,
// the counters may be ahead of the samples by those that passed meanwhile.
func (r *recorder) collect() (Samples, error) {
	var s Samples
	if err := r.drain(&s); err != nil {
		return Samples{}, fmt.Errorf("read samples of path probe: %w", err)
	}
	for which, to := range map[bpfCounter]*uint64{
		bpfCounterENTERED:       &s.Entered,
		bpfCounterRETRANSMITTED: &s.Retransmitted,
		bpfCounterOVERWRITTEN:   &s.Overwritten,
		bpfCounterUNMATCHED:     &s.Unmatched,
		bpfCounterLOST:          &s.Lost,
	} {
		now, err := r.counter(which)
		if err != nil {
			return Samples{}, fmt.Errorf("read counters of path probe: %w", err)
		}
		*to, r.base[which] = now-r.base[which], now
	}
	s.Matched = uint64(len(s.NS)) + s.Lost
	return s, nil
}

// drain moves everything that is in the ring into s, without waiting.
func (r *recorder) drain(s *Samples) error {
	if err := r.ring.Flush(); err != nil {
		return err
	}
	var record ringbuf.Record
	for {
		err := r.ring.ReadInto(&record)
		if errors.Is(err, ringbuf.ErrFlushed) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.add(record.RawSample); err != nil {
			return err
		}
	}
}

// counter returns the sum of a counter over all processors.
func (r *recorder) counter(which bpfCounter) (uint64, error) {
	var each []uint64
	if err := r.objects.Counters.Lookup(which, &each); err != nil {
		return 0, err
	}
	var sum uint64
	for _, n := range each {
		sum += n
	}
	return sum, nil
}

// Close takes programs and maps out of the kernel.
func (r *recorder) Close() error {
	if err := errors.Join(r.ring.Close(), r.objects.Close()); err != nil {
		return fmt.Errorf("unload path probe: %w", err)
	}
	return nil
}
