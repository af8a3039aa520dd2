package agent

import "testing"

// TestNow compares the clock with that of the kernel.
func TestNow(t *testing.T) {
	for range 100 {
		before, now, after := monotonic(), Now(), monotonic()
		if before > now+50_000 || now > after+50_000 {
			t.Fatalf("%d is not between %d and %d", now, before, after)
		}
	}
}
