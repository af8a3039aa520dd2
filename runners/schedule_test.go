package runners

import (
	"context"
	"errors"
	"testing"
	"time"

	"svcbench/internal/agent"
)

func TestWaitUntil(t *testing.T) {
	if err := waitUntil(t.Context(), agent.Now()-1); err != nil {
		t.Error(err)
	}
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := waitUntil(ctx, agent.Now()+int64(time.Hour)); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}
