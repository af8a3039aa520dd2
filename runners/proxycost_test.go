package runners

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// A proxy shows its metric of syncs only at the end of the first one, which
// may be a good while after traffic has converged.
func TestCostOfStart(t *testing.T) {
	refused := errors.New("connection refused")
	for _, c := range []struct {
		name    string
		account func(since time.Duration) (clusters.Syncs, error)
		seconds float64
		missing string // why there is no figure
	}{
		{"has synced", func(time.Duration) (clusters.Syncs, error) { return syncsAfter(2), nil }, 1, ""},
		{"is still in its first sync", func(since time.Duration) (clusters.Syncs, error) {
			switch {
			case since < time.Second:
				return clusters.Syncs{Unsettled: true}, refused
			case since < 15*time.Second:
				return clusters.Syncs{}, nil
			case since < 20*time.Second:
				return clusters.Syncs{}, nil
			}
			return syncsAfter(1), nil
		}, 0.5, ""},
		{"has converged before it has settled", func(since time.Duration) (clusters.Syncs, error) {
			n := int64(min(since/time.Second, 3)) // settled at 3 s
			return clusters.Syncs{Count: uint64(n), Duration: time.Duration(n) * time.Second, Unsettled: n < 3}, nil
		}, 3, ""},
		{"programs at the second try what it could not at the first", func(since time.Duration) (clusters.Syncs, error) {
			if since < 2*time.Second {
				return clusters.Syncs{Count: 1, Failing: 3}, nil
			}
			return syncsAfter(2), nil
		}, 1, ""},
		{"never counts one", func(time.Duration) (clusters.Syncs, error) { return clusters.Syncs{}, nil }, 0, "no sync 1m0s after"},
		{"has no metrics", func(time.Duration) (clusters.Syncs, error) { return clusters.Syncs{}, refused }, 0, refused.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				cluster := &fakeCluster{t: t, launcher: agenttest.Launcher{}}
				cluster.proxy = &fakeProxy{cluster: cluster, account: func() (clusters.Syncs, error) { return c.account(time.Since(began)) }}
				s := coldOnly(t, 1)
				f := &inFlight{trial: Trial{scenario: &s}, cluster: cluster, observer: silent{}, record: &results.Trial{}}
				if err := f.costOfStart(t.Context()); err != nil {
					t.Fatal(err)
				}
				r := f.record
				switch {
				case f.cost.start.CPU == 0:
					t.Error("what the proxy has used was not noted")
				case c.missing == "":
					if len(r.Scalars) != 1 || r.Scalars[0].Metric != results.ProxySyncFirst || r.Scalars[0].Value != c.seconds || len(r.Missing) != 0 {
						t.Errorf("recorded %+v, missing %+v; want %v s", r.Scalars, r.Missing, c.seconds)
					}
				case len(r.Missing) != 1 || r.Missing[0].Metric != results.ProxySyncFirst || !strings.Contains(r.Missing[0].Because, c.missing):
					t.Errorf("missing %+v, want because %q", r.Missing, c.missing)
				}
			})
		})
	}
}

// A proxy that never can program everything is no measurement, whatever sampled
// Services do.
func TestProxyThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &fakeCluster{t: t, launcher: agenttest.Launcher{}}
		cluster.proxy = &fakeProxy{cluster: cluster, account: func() (clusters.Syncs, error) { return clusters.Syncs{Count: 5, Failing: 3}, nil }}
		s := coldOnly(t, 1)
		f := &inFlight{trial: Trial{scenario: &s}, cluster: cluster, observer: silent{}, record: &results.Trial{}}
		err := f.costOfStart(t.Context())
		if failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), "3 addresses of Services") {
			t.Errorf("got %v", err)
		}
	})
}

func TestQuantile(t *testing.T) {
	before := clusters.Buckets{All: 10, Counts: map[float64]uint64{0.1: 10, 0.2: 10, 0.4: 10}}
	after := clusters.Buckets{All: 20, Counts: map[float64]uint64{0.1: 11, 0.2: 14, 0.4: 18}}
	for q, want := range map[float64]float64{0.4: 0.2, 0.5: 0.25, 0.8: 0.4} {
		if got, err := quantile(before, after, q); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, %v, want %v", q, got, err, want)
		}
	}
	for q, want := range map[float64]string{0.05: "lowest bucket", 0.95: "beyond the last bucket"} {
		if got, err := quantile(before, after, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("quantile %v is %v, %v, want %s", q, got, err, want)
		}
	}
	if got, err := quantile(after, after, 0.5); err == nil {
		t.Errorf("of nothing: %v", got)
	}
}
