package connect

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
)

// lead is the time from the end of the preparations to the first connection.
const lead = 10 * time.Millisecond

// Serve is the agent: it connects from the network namespace of the calling
// thread.
func Serve(ctx context.Context, c *agent.Conn) error { return agent.Answer(ctx, c, measure) }

// measure does what the Spec says.
func measure(ctx context.Context, spec Spec) (result *Result, err error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoop(spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.shut()) }()

	health, err := l.watched(ctx, spec)
	if err != nil {
		return nil, err
	}
	return newResult(spec, l, health)
}

// watched runs the loop while nobody collects garbage and tells how it fared.
func (l *loop) watched(ctx context.Context, spec Spec) (Health, error) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	collected, paused := memory.NumGC, memory.PauseTotalNs
	used, err := cpuTime()
	if err != nil {
		return Health{}, err
	}

	began := agent.Now()
	l.schedule = schedule{begin: began + lead.Nanoseconds(), rate: int64(spec.Rate)}
	if err := l.run(ctx); err != nil {
		return Health{}, err
	}
	h := Health{Elapsed: time.Duration(agent.Now() - began), PeakOpen: l.peak}

	until, err := cpuTime()
	if err != nil {
		return Health{}, err
	}
	runtime.ReadMemStats(&memory)
	h.CPU, h.GCs, h.Paused = until-used, int64(memory.NumGC-collected), time.Duration(memory.PauseTotalNs-paused)
	return h, nil
}

// cpuTime returns the processor time of this process so far.
func cpuTime() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("connect: ask for processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
