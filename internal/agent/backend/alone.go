package backend

import (
	"context"
	"errors"
)

// Alone answers as Serve does in a pod of its own, without a runner, until ctx
// ends.
func Alone(ctx context.Context, spec Spec) (err error) {
	s, err := listen(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}
