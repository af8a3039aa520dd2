package runners

import (
	"context"
	"fmt"
	"math"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent/connect"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/scenarios"
)

const (
	// lowestRate is the first that is tried, highestRate the last; both in new
	// connections a second.
	lowestRate  = 500
	highestRate = 64_000
	// rateCuts is how often the distance between a rate that a mode keeps up with and
	// one that it does not is halved: that leaves a ninth.
	rateCuts = 3
	// rateWarmup and rateDuration are how long each rate is tried: too many by a
	// twentieth are late by 50 ms at the end.
	rateWarmup   = 200 * time.Millisecond
	rateDuration = time.Second
	// punctual is how late the last but the latest tenth may begin.
	punctual = 10 * time.Millisecond
	// rateFailed is the largest share that may have no answer.
	rateFailed = 0.01
)

// saturate finds the highest rate of new connections that a mode keeps up with.
func saturate(ctx context.Context, f *inFlight) error {
	defer f.forget()
	limit, err := searchRate(func(rate int) (bool, error) { return f.keepsUp(ctx, rate) })
	switch {
	case err != nil:
		return err
	case limit.rate == 0:
		f.missing(results.ConnectSaturation, fmt.Sprintf("not even %d connections a second are kept up with", lowestRate))
		return nil
	}
	f.record.Scalars = append(f.record.Scalars, results.Scalar{
		Metric: results.ConnectSaturation, Unit: "count/s", Value: float64(limit.rate), Censored: limit.more,
	})
	return nil
}

// rateLimit is the highest rate that was kept up with, 0 for none; more means that no
// higher one was tried.
type rateLimit struct {
	rate int
	more bool
}

// searchRate doubles the rate until it is not kept up with, and then halves the
// distance, in ratios, between that one and the one before.
func searchRate(keepsUp func(rate int) (bool, error)) (rateLimit, error) {
	good, bad := 0, lowestRate
	for {
		ok, err := keepsUp(bad)
		if err != nil {
			return rateLimit{}, err
		}
		if !ok {
			break
		}
		if good = bad; good == highestRate {
			return rateLimit{good, true}, nil
		}
		bad = min(2*bad, highestRate)
	}
	for range rateCuts {
		if good == 0 {
			break
		}
		between := int(math.Sqrt(float64(good) * float64(bad)))
		ok, err := keepsUp(between)
		if err != nil {
			return rateLimit{}, err
		}
		if ok {
			good = between
		} else {
			bad = between
		}
	}
	return rateLimit{rate: good}, nil
}

// keepsUp reports whether so many new connections a second are begun when they are due
// and established. A rate that is too high fails twice: a machine stops now and then.
func (f *inFlight) keepsUp(ctx context.Context, rate int) (bool, error) {
	for range 2 {
		ok, err := f.tryRate(ctx, rate)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (f *inFlight) tryRate(ctx context.Context, rate int) (bool, error) {
	f.forget() // else its table would be full after some rates
	targets, mix := f.mix()
	r, err := connect.Run(ctx, f.cluster.Place(clusters.AtClient), connect.Spec{
		Targets: targets, Protocol: f.protocol(), Mix: mix, Rate: rate,
		Warmup: rateWarmup, Duration: rateDuration, Timeout: scenarios.DefaultConnectTimeout.Std(),
		Seed: f.random("saturation").Uint64(),
	})
	if err != nil {
		return false, fmt.Errorf("try %d connections a second: %w", rate, err)
	}
	lag, err := stats.Decode(r.Lag)
	if err != nil {
		return false, fmt.Errorf("lag of %d connections a second: %w", rate, err)
	}
	late, known := stats.NewDistribution(lag, 0).Quantile(0.9)
	o := connectionsOffered(r)
	return known && late.NS <= punctual.Nanoseconds() && o.unsent == 0 && o.failed <= rateFailed, nil
}
