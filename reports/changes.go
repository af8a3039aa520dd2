package reports

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// changeSamples are what is derived from the changes of a trial, by metric and
// class. A change counts for all, for its kind and for its rate.
type changeSamples struct {
	values map[sampleKey]*changeSample
	pods   podChanges
	kinds  bool  // there is more than one kind
	failed int64 // changes that are no measurement
}

// changeSample is one distribution in the making.
type changeSample struct{ took, late []int64 }

// unmeasured is the kind of error of a change whose API write failed, or of which
// traffic could not tell.
const unmeasured = "not written or not observable"

// newChangeSamples derives programming latencies. A change that traffic had not
// or, in modes whose tables can be looked up, the tables had not shown when
// observation ended is censored with the time until then; a change whose write
// failed is an error and no sample.
func newChangeSamples(changes []results.Change) *changeSamples {
	s := &changeSamples{values: map[sampleKey]*changeSample{}}
	tables := slices.ContainsFunc(changes, func(ch results.Change) bool { return ch.Programmed != 0 })
	for _, ch := range changes {
		s.kinds = s.kinds || ch.Kind != changes[0].Kind
	}
	for _, ch := range changes {
		if ch.Sent != 0 {
			s.add(ch, results.ChurnLag, max(0, ch.Sent-ch.Due), 0)
		}
		if ch.Acked != 0 {
			s.add(ch, results.ProgrammingWrite, ch.Acked-ch.Sent, 0)
		}
		switch {
		case ch.Error != "":
			s.failed++
		case ch.Unseen != "":
		case isPodChange(ch):
			s.pods.add(ch)
		default:
			s.addSeen(ch, tables)
		}
	}
	return s
}

// addSeen takes in what traffic has seen of a change; tables says that kernel
// tables can be looked up.
func (s *changeSamples) addSeen(ch results.Change, tables bool) {
	watched := max(0, ch.GaveUp-ch.Sent)
	since := func(at int64) int64 { return max(0, at-ch.Sent) }
	if ch.Only != results.OnlyOld {
		if ch.FirstNew == 0 {
			s.add(ch, results.ProgrammingAdd, 0, watched)
		} else {
			s.add(ch, results.ProgrammingAdd, since(ch.FirstNew), 0)
		}
	}
	if ch.Only != results.OnlyNew {
		if ch.OldSettled == 0 {
			s.add(ch, results.ProgrammingRemove, 0, watched)
		} else {
			s.add(ch, results.ProgrammingRemove, since(ch.LastOld), 0)
		}
	}
	if ch.Served {
		s.add(ch, results.ProgrammingFailing, since(ch.LastFailed), 0)
	}
	switch {
	case tables && ch.Programmed == 0:
		s.add(ch, results.ProgrammingTable, 0, watched)
	case tables:
		s.add(ch, results.ProgrammingTable, since(ch.Programmed), 0)
	}
}

// add takes in a value or, if late is positive, that it was longer than that.
func (s *changeSamples) add(ch results.Change, metric string, took, late int64) {
	classes := []string{results.ClassAll}
	if s.kinds {
		classes = append(classes, ch.Kind)
	}
	if ch.Rate != 0 {
		classes = append(classes, rateClass(ch.Rate))
	}
	for _, class := range classes {
		key := sampleKey{metric, class}
		if s.values[key] == nil {
			s.values[key] = &changeSample{}
		}
		if late > 0 {
			s.values[key].late = append(s.values[key].late, late)
		} else {
			s.values[key].took = append(s.values[key].took, took)
		}
	}
}

// rateClass is the class of changes at a rate: "rate-100" or "rate-0_5".
func rateClass(rate float64) string {
	return "rate-" + strings.ReplaceAll(strconv.FormatFloat(rate, 'f', -1, 64), ".", "_")
}

// distributions are all that were derived.
func (s *changeSamples) distributions() map[sampleKey]*stats.Distribution {
	all := map[sampleKey]*stats.Distribution{}
	for key, v := range s.values {
		all[key] = stats.FromDurations(v.took, v.late)
	}
	for metric, d := range s.pods.distributions() {
		all[sampleKey{metric, results.ClassAll}] = d
	}
	return all
}

// addChanges takes in the changes of a trial.
func (c *cell) addChanges(t *results.Trial) {
	if len(t.Changes) == 0 {
		return
	}
	derived := newChangeSamples(t.Changes)
	for key, d := range derived.distributions() {
		s := c.sample(key)
		s.blocks[t.Block] = d
		if derived.failed > 0 && key.metric != results.ChurnLag && key.metric != results.ProgrammingWrite {
			s.errors[unmeasured] += derived.failed
		}
	}
	if limit, ok := saturation(t.Changes); ok {
		c.scalar(results.Saturation, "count/s").put(t.Block, limit.rate, limit.atLeast)
	}
}

// changeClasses are the classes of changes that a cell has of a metric, but for
// that of all, by name.
func (c *cell) changeClasses(metric string) []string {
	var classes []string
	for key := range maps.Keys(c.samples) {
		if key.metric == metric && key.class != results.ClassAll {
			classes = append(classes, key.class)
		}
	}
	slices.Sort(classes)
	return classes
}
