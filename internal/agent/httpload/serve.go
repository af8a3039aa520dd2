package httpload

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/stats"
)

const (
	// lead is the time from the end of the preparations to the first request.
	lead = 10 * time.Millisecond
	// gcPercent makes collections rare: the live heap is a few megabytes.
	gcPercent = 1000
)

// Serve is the agent: it sends from the network namespace of the process,
// because requests have goroutines, and thus threads, of their own.
func Serve(ctx context.Context, c *agent.Conn) error { return agent.Answer(ctx, c, measure) }

// measure does what the Spec says.
func measure(ctx context.Context, spec Spec) (*Result, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	watch, err := newWatch()
	if err != nil {
		return nil, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))

	begin := time.Now().Add(lead)
	start := agent.Now() + time.Until(begin.Add(spec.Warmup)).Nanoseconds()
	p := &pacer{ctx: ctx, begin: begin, rate: int64(spec.Rate), timeout: spec.Timeout}
	p.counted = p.within(spec.Warmup)
	p.requests = make([]request, p.within(spec.Warmup+spec.Duration))
	c := newClient(ctx, spec, begin.Add(spec.Warmup), p.requests)
	t := newTally(p)
	t.Start, t.End = start, start+spec.Duration.Nanoseconds()
	t.Due = int64(len(p.requests) - p.counted)

	t.consume(attack(ctx, spec, p, c))
	gone := context.Cause(ctx)
	cancel() // ends attempts to connect that no request waits for any more
	c.pool.CloseIdleConnections()
	if gone != nil {
		return nil, gone // as the runner is
	}
	t.Dropped, t.Opened = p.dropped, c.opened.Load()
	if t.Health, err = watch.stop(); err != nil {
		return nil, err
	}
	return t.result()
}

// attack starts to send. The results must be taken until their end, which is
// soon if ctx ends.
func attack(ctx context.Context, spec Spec, p *pacer, c *client) <-chan *vegeta.Result {
	attacker := vegeta.NewAttacker(
		vegeta.Workers(uint64(spec.Workers)), // starting one takes time that a request would miss
		vegeta.MaxWorkers(uint64(spec.Workers)),
		vegeta.MaxBody(maxBody),
		// Last, because other options may expect vegeta's own client.
		vegeta.Client(&http.Client{
			Transport:     c,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
	)
	context.AfterFunc(ctx, func() { attacker.Stop() })
	return attacker.Attack(spec.targeter(), p, 0, "")
}

// tally is a Result that is being counted.
type tally struct {
	Result
	pacer                  *pacer
	response, service, lag *stats.Histogram
}

func newTally(p *pacer) *tally {
	return &tally{
		Result: Result{Errors: map[string]int64{}},
		pacer:  p, response: stats.NewHistogram(), service: stats.NewHistogram(), lag: stats.NewHistogram(),
	}
}

// consume counts results as they come: a worker waits until its own is taken.
func (t *tally) consume(all <-chan *vegeta.Result) {
	for r := range all {
		if own := &t.pacer.requests[r.Seq]; own.number >= t.pacer.counted {
			t.add(r, own)
		}
	}
}

func (t *tally) add(r *vegeta.Result, own *request) {
	p := t.pacer
	lag := r.Timestamp.Sub(p.begin) - p.due(own.number)
	t.Sent++
	t.lag.Record(lag.Nanoseconds())
	if lag >= p.due(own.number+1)-p.due(own.number) {
		t.Late++
	}
	if own.reused {
		t.Reused++
	}
	switch {
	case own.kind == errkind.Timeout:
		t.Censored++
	case own.kind != "":
		t.Errors[own.kind]++
	case r.Error != "": // the request never came to be sent
		t.Errors[errkind.Other]++
	default:
		t.Count++
		t.response.Record((lag + r.Latency).Nanoseconds())
		t.service.Record(r.Latency.Nanoseconds())
	}
}

// result returns what was counted.
func (t *tally) result() (*Result, error) {
	for _, h := range []struct {
		from *stats.Histogram
		to   *string
	}{{t.response, &t.Response}, {t.service, &t.Service}, {t.lag, &t.Lag}} {
		var err error
		if *h.to, err = h.from.Encode(); err != nil {
			return nil, fmt.Errorf("HTTP load: %w", err)
		}
	}
	return &t.Result, nil
}

// watch looks after the process while it measures.
type watch struct {
	began  time.Time
	cpu    time.Duration
	gcs    uint32
	paused time.Duration
}

func newWatch() (watch, error) {
	runtime.GC()
	w, err := usage()
	w.began = time.Now()
	return w, err
}

// stop tells how the process fared since newWatch.
func (w watch) stop() (Health, error) {
	elapsed := time.Since(w.began)
	now, err := usage()
	return Health{Elapsed: elapsed, CPU: now.cpu - w.cpu, GCs: int64(now.gcs - w.gcs), Paused: now.paused - w.paused}, err
}

// usage returns the processor time and garbage collections of this process so far.
func usage() (watch, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return watch{}, fmt.Errorf("HTTP load: ask for processor time: %w", err)
	}
	return watch{
		cpu: time.Duration(used.Utime.Nano() + used.Stime.Nano()), gcs: memory.NumGC,
		paused: time.Duration(memory.PauseTotalNs),
	}, nil
}
