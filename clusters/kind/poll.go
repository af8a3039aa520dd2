package kind

import (
	"context"
	"fmt"
	"time"
)

// patience is how long a step of bringing up a cluster may take. Pulled images
// are there before.
const patience = 2 * time.Minute

// poll waits until done is true. The last error of done, which is tried again,
// is part of the one that is returned when it takes too long.
func poll(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	const interval = 50 * time.Millisecond
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		ok, err := done(limited)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-time.After(interval):
			continue
		case <-limited.Done():
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
		if last != nil {
			return fmt.Errorf("waited %v for %s: %w", patience, what, last)
		}
		return fmt.Errorf("waited %v for %s", patience, what)
	}
}
