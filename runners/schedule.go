package runners

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"svcbench/internal/agent"
	"svcbench/scenarios"
)

// changes is how many changes a churn makes.
func changes(c *scenarios.Churn) int {
	const rounding = 1e-9 // 0.1/s for 30 s are three
	return max(1, int(c.Rate*c.Duration.Std().Seconds()+rounding))
}

// dues returns when each change is due, counted from the beginning of the
// churn: at a random moment of its share of the time. With equal distances
// they would keep step with a proxy that syncs once a second and all meet it
// at the same moments of its pause.
func dues(c *scenarios.Churn, r *rand.Rand) []time.Duration {
	due := make([]time.Duration, changes(c))
	for i := range due {
		due[i] = time.Duration((float64(i) + r.Float64()) / c.Rate * float64(time.Second))
	}
	return due
}

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
