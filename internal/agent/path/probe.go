package path

import (
	"context"
	"errors"
	"fmt"
	"io"

	"svcbench/internal/agent"
)

// Probe is the runner's end of a probe attached at a node. Its methods must not
// be called at the same time, except Close.
type Probe struct {
	session  agent.Session
	conn     *agent.Conn
	attached Attached
}

// Attach starts an agent at a node and attaches the probe there. Collect what
// it measures with Probe.Collect, and Close it.
//
// The error matches ErrUnsupported if the node cannot take this measurement;
// its text then says why. Any other error means that it could not be found
// out, or that the Spec is wrong.
func Attach(ctx context.Context, launcher agent.Launcher, spec Spec) (*Probe, error) {
	session, err := launcher.Launch(ctx, Name)
	if err != nil {
		return nil, fmt.Errorf("start path probe: %w", err)
	}
	p := &Probe{session: session, conn: agent.NewConn(session, session)}
	var hello greeting
	if err := p.exchange(ctx, spec, &hello); err != nil {
		return nil, errors.Join(fmt.Errorf("attach path probe to %q and %q: %w", spec.ClientLink, spec.BackendLink, err), session.Close())
	}
	switch {
	case hello.Unsupported != nil:
		return nil, errors.Join(&UnsupportedError{Because: hello.Unsupported.Because}, session.Close())
	case hello.Attached == nil:
		return nil, errors.Join(errors.New("attach path probe: the agent answered neither yes nor no"), session.Close())
	}
	p.attached = *hello.Attached
	return p, nil
}

// How returns the way the programs were attached: "tcx" or "clsact".
func (p *Probe) How() string { return p.attached.How }

// OwnCost returns what the instrument costs at that node, and false if that
// could not be measured there.
func (p *Probe) OwnCost() (Costs, bool) {
	if p.attached.OwnCost == nil {
		return Costs{}, false
	}
	return *p.attached.OwnCost, true
}

// Reset forgets everything measured so far. Cancelling ctx ends the probe.
func (p *Probe) Reset(ctx context.Context) error {
	var answer done
	if err := p.exchange(ctx, commandReset, &answer); err != nil {
		return fmt.Errorf("reset path probe: %w", err)
	}
	return nil
}

// Collect returns everything measured since Attach or the last Reset or
// Collect, and forgets it. The agent works only now, so call it when nothing
// is being measured. Cancelling ctx ends the probe.
func (p *Probe) Collect(ctx context.Context) (Samples, error) {
	var s Samples
	err := p.exchange(ctx, commandCollect, &s)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Samples{}, fmt.Errorf("collect from path probe: %w", err)
	}
	return s, nil
}

// Close detaches the programs and ends the agent.
func (p *Probe) Close() error {
	if err := p.session.Close(); err != nil {
		return fmt.Errorf("close path probe: %w", err)
	}
	return nil
}

// exchange sends a question and waits for its answer. If ctx ends first it
// closes the session: whoever asked will not read the answer, and the next one
// would get it.
func (p *Probe) exchange(ctx context.Context, question, answer any) error {
	stop := context.AfterFunc(ctx, func() { _ = p.session.Close() }) // Close is called, and asked, again by the user
	defer stop()
	err := p.conn.Send(question)
	if err == nil {
		err = p.conn.Receive(answer)
	}
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the agent ended: %w", io.ErrUnexpectedEOF)
	}
	return err
}
