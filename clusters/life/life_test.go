package life

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

func TestDeath(t *testing.T) {
	crashed := errors.New("it crashed")
	for _, test := range []struct {
		what string
		why  error
		want string
	}{
		{"a part with a reason", crashed, "full disk: it crashed"},
		{"a part without one", nil, "full disk: etcd ended by itself"},
	} {
		l := New(func(err error) error { return fmt.Errorf("full disk: %w", err) })
		done := make(chan struct{})
		l.Watch(done, func() error { return test.why }, "etcd")
		ctx, cancel := l.Context(t.Context())
		defer cancel()
		if l.Err() != nil {
			t.Errorf("%s: it died before: %v", test.what, l.Err())
		}
		close(done)
		<-l.Died()
		if err := l.Err(); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.what, err, test.want)
		}
		l.Die(errors.New("a second reason"))
		<-ctx.Done()
		if err := context.Cause(ctx); err == nil || err.Error() != test.want {
			t.Errorf("%s: the context ended because %v", test.what, err)
		}
	}
}

// What may end is no death.
func TestNoDeath(t *testing.T) {
	for what, let := range map[string]func(l *Life, forget func()){
		"forgotten": func(_ *Life, forget func()) { forget(); forget() },
		"calm":      func(l *Life, _ func()) { l.Calm() },
		"ended":     func(l *Life, _ func()) { l.End() },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(nil)
				done := make(chan struct{})
				forget := l.Watch(done, func() error { return nil }, "etcd")
				let(l, forget)
				close(done)
				synctest.Wait()
				l.Die(nil)
				if l.Err() != nil {
					t.Error(l.Err())
				}
			})
		})
	}
}

func TestEndOnce(t *testing.T) {
	l := New(nil)
	if !l.End() || l.End() {
		t.Error("it ends once")
	}
	<-l.Over()
}

func TestClimb(t *testing.T) {
	var told, taken []string
	step := func(what string, err error) Step {
		return Step{what, func(context.Context) error { taken = append(taken, what); return err }}
	}
	tell := func(what string) { told = append(told, what) }
	slippery := errors.New("slippery")
	err := Climb(t.Context(), []Step{step("a", nil), step("b", slippery), step("c", nil)}, tell)
	if !errors.Is(err, slippery) || !strings.HasPrefix(err.Error(), "b: ") {
		t.Errorf("error is %v", err)
	}
	if fmt.Sprint(told, taken) != "[a b] [a b]" {
		t.Errorf("told %v, taken %v", told, taken)
	}
	if err := Climb(t.Context(), []Step{step("d", nil)}, nil); err != nil {
		t.Error(err)
	}
}
