// Package strain measures what else a machine did while something was measured on it:
// work of other programs, time that a hypervisor took away, waiting for memory, and
// steps of its clock.
package strain

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Sample is the counters of a machine at one moment.
type Sample struct {
	at     int64 // ns of CLOCK_MONOTONIC
	offset int64 // by how much CLOCK_REALTIME is ahead of that
	steal  float64
	stall  uint64 // microseconds in which something waited for memory
	stalls bool   // there is such a counter
	others map[int]consumer
}

// consumer is a process.
type consumer struct {
	name     string
	parent   int
	start    uint64  // when it began, which with its number tells it from others
	seconds  float64 // of CPU time
	children float64 // of CPU time of those that it has waited for
}

// hertz is in what part of a second the kernel tells programs CPU times (USER_HZ, which
// is this on all architectures that Go knows).
const hertz = 100

// Take reads the counters. Processes for which own returns true are not others, nor are
// threads of the kernel, which work for everybody.
func Take(own func(pid int) bool) (Sample, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return Sample{}, fmt.Errorf("read the counters of the machine: %w", err)
	}
	s := Sample{others: map[int]consumer{}}
	if s.at, s.offset, err = clocks(); err != nil {
		return Sample{}, fmt.Errorf("read the clocks: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return Sample{}, fmt.Errorf("read the counters of the machine: %w", err)
	}
	s.steal = stat.CPUTotal.Steal
	if pressure, err := fs.PSIStatsForResource("memory"); err == nil && pressure.Some != nil { // a kernel may not count it
		s.stall, s.stalls = pressure.Some.Total, true
	}
	processes, err := fs.AllProcs()
	if err != nil {
		return Sample{}, fmt.Errorf("list processes: %w", err)
	}
	for _, p := range processes {
		stat, err := p.Stat()
		if err != nil || stat.VSize == 0 || own(p.PID) { // ended meanwhile, or a thread of the kernel
			continue
		}
		s.others[p.PID] = consumer{filepath.Base(stat.Comm), stat.PPID, stat.Starttime, stat.CPUTime(), float64(stat.CUTime+stat.CSTime) / hertz}
	}
	return s, nil
}

// clocks returns CLOCK_MONOTONIC, and by how much CLOCK_REALTIME is ahead of it.
func clocks() (at, offset int64, err error) {
	var mono, real unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return 0, 0, err
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &real); err != nil {
		return 0, 0, err
	}
	return mono.Nano(), real.Nano() - mono.Nano(), nil
}

// Strain is what happened between two samples, or in several such times together.
type Strain struct {
	// Elapsed is how long that was.
	Elapsed time.Duration
	// Others is the CPU time of other programs, Worst the one of them that used the
	// most in one of the times, and how much that was.
	Others    time.Duration
	Worst     string
	WorstTime time.Duration
	// Steal is the CPU time that a hypervisor took away.
	Steal time.Duration
	// Stall is how long at least one task waited for memory; Stalls says whether the
	// kernel counts that.
	Stall  time.Duration
	Stalls bool
	// Step is by how much the clock was set in all, up or down.
	Step time.Duration
}

// Since returns what has happened since an earlier sample. Programs that came count with
// all they have used. Those that ended, or came and ended, count with what whoever waited
// for them has been told: those that nobody waits for are not seen.
func (s Sample) Since(before Sample) Strain {
	r := Strain{
		Elapsed: time.Duration(s.at - before.at),
		Steal:   seconds(s.steal - before.steal),
		Step:    time.Duration(max(s.offset-before.offset, before.offset-s.offset)),
		Stalls:  s.stalls && before.stalls,
	}
	if r.Stalls {
		r.Stall = time.Duration(s.stall-before.stall) * time.Microsecond
	}
	ended := s.ended(before)
	for pid, now := range s.others {
		used := now.seconds + now.children
		if then, ok := before.others[pid]; ok && then.start == now.start {
			used = now.seconds - then.seconds + max(0, now.children-then.children-ended[pid])
		}
		spent := seconds(used)
		r.Others += spent
		if spent > r.WorstTime {
			r.Worst, r.WorstTime = fmt.Sprintf("%s (%d)", now.name, pid), spent
		}
	}
	return r
}

// ended returns, by the nearest ancestors that are still there, what processes that have
// ended since had used before: their ancestors are told it as if it were new.
func (s Sample) ended(before Sample) map[int]float64 {
	known := map[int]float64{}
	there := func(pid int) bool {
		now, ok := s.others[pid]
		return ok && now.start == before.others[pid].start
	}
	for pid, then := range before.others {
		if there(pid) {
			continue
		}
		parent := then.parent
		for range len(before.others) { // numbers are used again, so that there could be a circle
			above, ok := before.others[parent]
			if !ok || there(parent) {
				break
			}
			parent = above.parent
		}
		known[parent] += then.seconds + then.children
	}
	return known
}

// Add takes in another time.
func (r *Strain) Add(o Strain) {
	r.Elapsed += o.Elapsed
	r.Others += o.Others
	r.Steal += o.Steal
	r.Stall += o.Stall
	r.Stalls = o.Stalls
	r.Step += o.Step
	if o.WorstTime > r.WorstTime {
		r.Worst, r.WorstTime = o.Worst, o.WorstTime
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Descendants returns a function that says whether a process is pid or was started by
// it, directly or not.
func Descendants(pid int) func(int) bool {
	return func(other int) bool {
		const generations = 64 // no chain is longer, unless processes come and go while it is followed
		for range generations {
			if other == pid {
				return true
			}
			p, err := procfs.NewProc(other)
			if err != nil {
				return false
			}
			stat, err := p.Stat()
			if err != nil || stat.PPID == 0 {
				return false
			}
			other = stat.PPID
		}
		return false
	}
}
