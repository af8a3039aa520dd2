package runners

import (
	"fmt"
	"maps"
	"slices"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// Shares above which a measurement comes with a warning.
const (
	// unmeasured is the share of connections that the path probe missed.
	unmeasured = 0.01
	// late is the share of connections or requests that were sent only after
	// the next one was due.
	late = 0.05
)

// metric is a measured metric before it is stored, by class.
type metric struct {
	name    string
	classes map[string]distribution
}

// distribution is what was counted of one class.
type distribution struct {
	values   *stats.Histogram
	censored int64
	errors   map[string]int64
}

// store records metrics, classes in the order of their names.
func (f *inFlight) store(metrics ...metric) error {
	for _, m := range metrics {
		for _, class := range slices.Sorted(maps.Keys(m.classes)) {
			d := m.classes[class]
			encoded, err := d.values.Encode()
			if err != nil {
				return fmt.Errorf("%s of class %s: %w", m.name, class, err)
			}
			f.record.Histograms = append(f.record.Histograms, results.Histogram{
				Metric: m.name, Class: class, HDR: encoded, Count: d.values.Count(), Censored: d.censored, Errors: d.errors,
			})
		}
	}
	return nil
}
