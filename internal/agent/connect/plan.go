package connect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/spread"
)

// The limits of a Spec. An attempt takes 40 bytes, so that the most attempts
// take 160 MiB; no time-out may be longer than a histogram can hold.
const (
	maxRate     = 1_000_000
	maxAttempts = 4 << 20
	maxTimeout  = time.Minute
	maxBins     = 100_000
)

// check says what is wrong with the Spec.
func (s Spec) check() error {
	if err := s.Protocol.Check(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	switch {
	case s.Rate <= 0 || s.Rate > maxRate:
		return fmt.Errorf("connect: rate %d must be between 1 and %d connections per second", s.Rate, maxRate)
	case s.Duration <= 0 || s.Warmup < 0:
		return fmt.Errorf("connect: duration %v must be positive, warm-up %v not negative", s.Duration, s.Warmup)
	case s.Timeout <= 0 || s.Timeout > maxTimeout:
		return fmt.Errorf("connect: time-out %v must be positive and at most %v", s.Timeout, maxTimeout)
	case (s.Warmup.Seconds()+s.Duration.Seconds())*float64(s.Rate) > maxAttempts:
		return fmt.Errorf("connect: %d connections per second for %v are more than %d", s.Rate, s.Warmup+s.Duration, maxAttempts)
	case s.BinWidth < 0 || (s.BinWidth > 0 && s.Duration/s.BinWidth > maxBins):
		return fmt.Errorf("connect: bins of %v must not be negative, nor more than %d", s.BinWidth, maxBins)
	}
	return s.checkMix()
}

// checkMix says what is wrong with the targets and their classes.
func (s Spec) checkMix() error {
	if len(s.Mix) == 0 {
		return errors.New("connect: no classes in the mix")
	}
	targets := map[string]int{}
	for _, share := range s.Mix {
		if _, ok := targets[share.Class]; ok || share.Weight <= 0 || share.Weight > maxAttempts {
			return fmt.Errorf("connect: class %q must be in the mix once, with a weight from 1 to %d (not %d)", share.Class, maxAttempts, share.Weight)
		}
		targets[share.Class] = 0
	}
	for _, t := range s.Targets {
		if _, ok := targets[t.Class]; !ok {
			return fmt.Errorf("connect: target %v is of class %q, which is not in the mix", t.Addr, t.Class)
		}
		if !t.Addr.Addr().Is4() || t.Addr.Port() == 0 {
			return fmt.Errorf("connect: target %v is not an IPv4 address with a port", t.Addr)
		}
		targets[t.Class]++
	}
	for class, n := range targets {
		if n == 0 {
			return fmt.Errorf("connect: class %q has no targets", class)
		}
	}
	return nil
}

// schedule says when attempts are due.
type schedule struct {
	begin int64 // when the first is due, in ns of CLOCK_MONOTONIC
	rate  int64
}

// due returns when an attempt is due. It is counted from the beginning, so
// that no rounding adds up.
func (s schedule) due(i int) int64 { return s.begin + int64(i)*int64(time.Second)/s.rate }

// within returns how many attempts are due in the first d of the schedule.
func (s schedule) within(d time.Duration) int {
	return int((d.Nanoseconds()*s.rate + int64(time.Second) - 1) / int64(time.Second))
}

// plan returns all attempts that the Spec asks for, in the order in which they
// are due, with their targets.
func (s Spec) plan() []attempt {
	random := rand.New(rand.NewPCG(s.Seed, 0))
	members := make([][]int32, len(s.Mix)) // indexes of targets, by class
	places := make([]spread.Sequence, len(s.Mix))
	var cycle []int // classes
	for c, share := range s.Mix {
		places[c] = spread.New(random.Uint64())
		for i, t := range s.Targets {
			if t.Class == share.Class {
				members[c] = append(members[c], int32(i))
			}
		}
		for range share.Weight {
			cycle = append(cycle, c)
		}
	}
	attempts := make([]attempt, schedule{rate: int64(s.Rate)}.within(s.Warmup+s.Duration))
	for i := range attempts {
		at := i % len(cycle)
		if at == 0 {
			random.Shuffle(len(cycle), func(i, j int) { cycle[i], cycle[j] = cycle[j], cycle[i] })
		}
		of := members[cycle[at]]
		attempts[i].target = of[places[cycle[at]].Next(len(of))]
	}
	return attempts
}

// addresses returns the targets in the form the kernel takes.
func (s Spec) addresses() []unix.RawSockaddrInet4 {
	raw := make([]unix.RawSockaddrInet4, len(s.Targets))
	for i, t := range s.Targets {
		raw[i] = rawAddress(t.Addr)
	}
	return raw
}
