package runners

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/internal/agent"
)

// waitUntil returns at a time of CLOCK_MONOTONIC, at once if that is past, or
// with the cause of the end of ctx.
func waitUntil(ctx context.Context, at int64) error {
	timer := time.NewTimer(time.Duration(at - agent.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// onSchedule makes a change at each time of a schedule, to the next one of those
// that are idle, and returns when all have been made. do is called preRoll before
// the change is due. A change for which nothing is idle in time is late.
func onSchedule[T any](ctx context.Context, begin int64, due []time.Duration, idle <-chan T, do func(ctx context.Context, n int, one T, at int64) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for n, d := range due {
			at := begin + d.Nanoseconds()
			if err := waitUntil(ctx, at-preRoll.Nanoseconds()); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case one := <-idle:
				g.Go(func() error { return do(ctx, n, one, at) })
			}
		}
		return nil
	})
	return g.Wait()
}
