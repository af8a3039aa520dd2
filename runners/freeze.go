package runners

import (
	"context"
	"errors"
	"fmt"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/results"
)

// freeze keeps the proxy from running in the middle of a churn that begins at a
// time of CLOCK_MONOTONIC, if the scenario asks for it. It goes on in any case.
func (f *inFlight) freeze(ctx context.Context, begin int64) (err error) {
	fault := f.trial.scenario.Churn.Freeze
	if fault == nil {
		return nil
	}
	proxy, ok := f.cluster.Proxy().(clusters.Freezable)
	if !ok {
		return errors.New("freeze the proxy: this provider cannot")
	}
	from := begin + fault.After.Std().Nanoseconds()
	if err := waitUntil(ctx, from); err != nil {
		return err
	}
	start := agent.Now()
	if err := proxy.Freeze(true); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, proxy.Freeze(false))
		f.frozen = &results.Phase{Name: results.PhaseFreeze, Start: start, End: agent.Now()}
	}()
	if err := waitUntil(ctx, from+fault.Duration.Std().Nanoseconds()); err != nil {
		return fmt.Errorf("while the proxy was frozen: %w", err)
	}
	return nil
}
