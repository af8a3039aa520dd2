// Package agent is the protocol between a runner and the part of svcbench
// that runs at a place (client, backend, node): JSON lines over the standard
// input and output of "svcbench agent NAME". The instruments themselves are
// in the sub-packages, one a package, each with both ends of its talk.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Launcher starts agents at one place of a cluster.
type Launcher interface {
	// Launch starts "svcbench agent NAME" at the place. The session must be
	// closed by the caller; cancelling ctx ends the agent at once.
	Launch(ctx context.Context, name string) (Session, error)
}

// Session is a running agent seen from the runner: Read reads its standard
// output, Write writes to its standard input.
type Session interface {
	io.ReadWriter
	// Close ends the agent, waits for it and returns why it ended if that
	// was not because of Close. It may be called more than once.
	Close() error
}

// Conn is one end of the talk.
type Conn struct {
	enc *json.Encoder
	dec *json.Decoder
}

// NewConn returns a Conn that reads lines from r and writes lines to w.
func NewConn(r io.Reader, w io.Writer) *Conn {
	return &Conn{enc: json.NewEncoder(w), dec: json.NewDecoder(r)}
}

// envelope is one line. An agent that fails says so in Error and ends.
type envelope struct {
	Error string          `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
}

// Send writes v as one line.
func (c *Conn) Send(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	if err := c.enc.Encode(envelope{Body: body}); err != nil {
		return fmt.Errorf("send %T: %w", v, err)
	}
	return nil
}

// Fail tells the other end that this one cannot go on.
func (c *Conn) Fail(err error) error { return c.enc.Encode(envelope{Error: err.Error()}) }

// Receive reads one line into v. It returns io.EOF when the other end is
// gone and a *RemoteError when the other end failed.
func (c *Conn) Receive(v any) error {
	var e envelope
	if err := c.dec.Decode(&e); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return io.EOF
		}
		return fmt.Errorf("receive %T: %w", v, err)
	}
	if e.Error != "" {
		return &RemoteError{Message: e.Error}
	}
	if err := json.Unmarshal(e.Body, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// RemoteError is a failure told by the other end.
type RemoteError struct{ Message string }

// Error returns what the other end said.
func (e *RemoteError) Error() string { return e.Message }
