package verify

import (
	"context"
	"errors"
	"fmt"

	"svcbench/internal/agent"
	"svcbench/internal/agent/probe"
)

// overlap is how many attempts to one target may be under way: enough that a
// few which hear nothing do not make the verifier blind.
const overlap = 32

// Serve is the agent: it connects from the network namespace of the calling
// thread.
func Serve(ctx context.Context, c *agent.Conn) error { return agent.Answer(ctx, c, verify) }

// verify does what the Spec says.
func verify(ctx context.Context, spec Spec) (result *Result, err error) {
	spec, err = spec.withDefaults()
	if err != nil {
		return nil, err
	}
	loop, err := probe.NewLoop(spec.Parallel)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, loop.Close()) }()

	result = &Result{Start: agent.Now()}
	checks := make([]*check, len(spec.Targets))
	left := len(checks)
	for i, t := range spec.Targets {
		checks[i] = newCheck(t, spec.Sample)
		err := loop.Add(watched(loop, spec, checks[i], func() {
			if left--; left == 0 {
				loop.Stop()
			}
		}))
		if err != nil {
			return nil, fmt.Errorf("verify %q: %w", t.ID, err)
		}
	}
	if left > 0 {
		limited, cancel := context.WithTimeout(ctx, spec.Timeout)
		defer cancel()
		if err := loop.Run(limited); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil { // the runner has gone
		return nil, err
	}
	result.End = agent.Now()
	for _, c := range checks {
		result.Targets = append(result.Targets, c.result)
	}
	return result, nil
}

// watched returns the target that feeds a check. It calls done once the check
// is and no attempt is under way that could still date FirstOK back.
func watched(loop *probe.Loop, spec Spec, c *check, done func()) *probe.Target {
	t := &probe.Target{Addr: c.result.Addr, Protocol: spec.Protocol, Interval: spec.Interval, Timeout: spec.AttemptTimeout, Overlap: overlap}
	finished := false
	t.Done = func(o probe.Outcome) {
		c.add(o)
		if finished || !c.done() {
			return
		}
		loop.Rest(t)
		if oldest := t.OldestOpen(); oldest == 0 || oldest > c.result.FirstOK {
			finished = true
			loop.Remove(t)
			done()
		}
	}
	return t
}
