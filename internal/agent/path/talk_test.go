package path

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
)

// agents returns a launcher whose path agent is serve.
func agents(serve agenttest.Serve) agent.Launcher { return agenttest.Launcher{Name: serve} }

func TestRefusedSpecs(t *testing.T) {
	loaded(t, DefaultRingBytes) // skips where "unsupported" would come first
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"no links", Spec{}, "needs the names"},
		{"one link", Spec{ClientLink: "lo"}, "needs the names"},
		{"ring of odd size", Spec{ClientLink: "lo", BackendLink: "lo", RingBytes: 10_000}, "power of two"},
		{"ring smaller than a page", Spec{ClientLink: "lo", BackendLink: "lo", RingBytes: 1024}, "power of two"},
		{"ring too big", Spec{ClientLink: "lo", BackendLink: "lo", RingBytes: 1 << 31}, "power of two"},
		{"negative ring", Spec{ClientLink: "lo", BackendLink: "lo", RingBytes: -4096}, "power of two"},
		{"no such client link", Spec{ClientLink: "nosuch", BackendLink: "lo"}, `client's link "nosuch"`},
		{"no such backend link", Spec{ClientLink: "lo", BackendLink: "nosuch"}, `backend's link "nosuch"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Attach(t.Context(), agents(Serve), tt.spec)
			if err == nil {
				t.Fatal("attached", p.Close())
			}
			if errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want a failure with %q", err, tt.want)
			}
		})
	}
}

func TestUnsupported(t *testing.T) {
	loaded(t, DefaultRingBytes)
	no := func(because string) func(pair) (io.Closer, error) {
		return func(pair) (io.Closer, error) { return nil, &UnsupportedError{Because: because} }
	}
	ways := []method{{"tcx", no("too old")}, {"clsact", no("not built")}}
	serve := func(ctx context.Context, c *agent.Conn) error { return serve(ctx, c, ways) }
	_, err := Attach(t.Context(), agents(serve), Spec{ClientLink: "lo", BackendLink: "lo"})
	if !errors.Is(err, ErrUnsupported) {
		t.Fatalf("got %v, want ErrUnsupported", err)
	}
	const want = "path not measured, because programs cannot be attached to links here (tcx: too old; clsact: not built)"
	if err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
}

func TestCouldNotTell(t *testing.T) {
	loaded(t, DefaultRingBytes)
	ways := []method{
		{"tcx", func(pair) (io.Closer, error) { return nil, errors.New("out of paper") }},
		{"clsact", func(pair) (io.Closer, error) { t.Error("tried the next way after a failure"); return nil, nil }},
	}
	serve := func(ctx context.Context, c *agent.Conn) error { return serve(ctx, c, ways) }
	_, err := Attach(t.Context(), agents(serve), Spec{ClientLink: "lo", BackendLink: "lo"})
	if err == nil || errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "out of paper") {
		t.Errorf("got %v, want a failure that says why", err)
	}
}

// deaf is an agent that attaches and then never answers.
func deaf(ctx context.Context, c *agent.Conn) error {
	var spec Spec
	if err := c.Receive(&spec); err != nil {
		return err
	}
	if err := c.Send(greeting{Attached: &Attached{How: "tcx"}}); err != nil {
		return err
	}
	for {
		var cmd command
		if err := c.Receive(&cmd); err != nil {
			return nil
		}
	}
}

func TestCancelledCall(t *testing.T) {
	p, err := Attach(t.Context(), agents(deaf), Spec{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.OwnCost(); ok {
		t.Error("a cost that was not told is known")
	}
	gone := errors.New("user went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := p.Collect(ctx); !errors.Is(err, gone) {
		t.Errorf("collect: got %v, want %v", err, gone)
	}
	if err := p.Reset(t.Context()); err == nil {
		t.Error("a probe whose call was cancelled still answers")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAgentThatSaysNothing(t *testing.T) {
	silent := func(context.Context, *agent.Conn) error { return nil }
	none := func(_ context.Context, c *agent.Conn) error {
		var spec Spec
		if err := c.Receive(&spec); err != nil {
			return err
		}
		return c.Send(greeting{})
	}
	for name, serve := range map[string]agenttest.Serve{"ends": silent, "empty answer": none} {
		t.Run(name, func(t *testing.T) {
			if _, err := Attach(t.Context(), agents(serve), Spec{}); err == nil || errors.Is(err, ErrUnsupported) {
				t.Errorf("got %v, want a failure", err)
			}
		})
	}
}

func TestUnknownCommand(t *testing.T) {
	if _, err := (&recorder{}).obey("dance"); err == nil {
		t.Error("no error")
	}
}
