package runners

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"svcbench/internal/agent/agenttest"
	"svcbench/internal/results"
)

// A proxy shows its metric of syncs only at the end of the first one, which
// may be a good while after traffic has converged.
func TestCostOfStart(t *testing.T) {
	refused := errors.New("connection refused")
	for _, c := range []struct {
		name    string
		scrape  func(since time.Duration) (map[string]*dto.MetricFamily, error)
		seconds float64
		missing string // why there is no figure
	}{
		{"has synced", func(time.Duration) (map[string]*dto.MetricFamily, error) { return metricsAfter(2), nil }, 1, ""},
		{"is still in its first sync", func(since time.Duration) (map[string]*dto.MetricFamily, error) {
			switch {
			case since < time.Second:
				return nil, refused
			case since < 15*time.Second:
				return nil, nil
			case since < 20*time.Second:
				return metricsAfter(0), nil // of IPv6 alone
			}
			return metricsAfter(1), nil
		}, 0.5, ""},
		{"never counts one", func(time.Duration) (map[string]*dto.MetricFamily, error) { return nil, nil }, 0, "no sync 1m0s after"},
		{"has no metrics", func(time.Duration) (map[string]*dto.MetricFamily, error) { return nil, refused }, 0, refused.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				cluster := &fakeCluster{t: t, launcher: agenttest.Launcher{}}
				cluster.proxy = &fakeProxy{cluster: cluster, scrape: func() (map[string]*dto.MetricFamily, error) { return c.scrape(time.Since(began)) }}
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
