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
	kinds  bool // there is more than one kind
	// failed counts changes that are no measurement, by what they would have
	// measured.
	failed map[sampleKey]int64
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
	s := &changeSamples{values: map[sampleKey]*changeSample{}, failed: map[sampleKey]int64{}}
	tables := slices.ContainsFunc(changes, func(ch results.Change) bool { return ch.Programmed != 0 })
	for _, ch := range changes {
		s.kinds = s.kinds || ch.Kind != changes[0].Kind
	}
	for _, ch := range changes {
		if ch.Sent != 0 {
			s.add(ch, results.ChurnLag, max(0, ch.Sent-ch.Due))
		}
		if ch.Acked != 0 {
			s.add(ch, results.ProgrammingWrite, ch.Acked-ch.Sent)
		}
		switch {
		case ch.Error != "":
			s.fail(ch)
		case ch.Unseen != "" && ch.Unseen != results.UnseenOvertaken:
		case isPodChange(ch):
			s.pods.add(ch)
		default:
			s.addSeen(ch, tables)
		}
	}
	s.addStorms(changes)
	return s
}

// addSeen takes in what traffic has seen of a change; tables says that kernel
// tables can be looked up.
func (s *changeSamples) addSeen(ch results.Change, tables bool) {
	// seen adds a moment, or that it had not come when observation ended.
	seen := func(metric string, came bool, at int64) {
		if came {
			s.add(ch, metric, max(0, at-ch.Sent))
		} else {
			s.addLate(ch, metric, max(1, ch.GaveUp-ch.Sent))
		}
	}
	if ch.Only != results.OnlyOld {
		seen(results.ProgrammingAdd, ch.FirstNew != 0, ch.FirstNew)
	}
	if ch.Only != results.OnlyNew {
		seen(results.ProgrammingRemove, ch.OldSettled != 0, ch.LastOld)
	}
	if ch.Served {
		// Where it was not obeyed, failures may have gone on.
		_, obeyed := obeyedAt(ch)
		seen(results.ProgrammingFailing, obeyed || ch.LastFailed < ch.GaveUp-lastAttempt, ch.LastFailed)
	}
	if tables {
		seen(results.ProgrammingTable, ch.Programmed != 0, ch.Programmed)
	}
}

// lastAttempt is how long before the end of observation the last connection began,
// at most: they wait for 200 ms, and come every 10 ms or more often.
const lastAttempt = 250_000_000

// obeyedAt is when traffic obeyed a change in every respect, false if it did not
// before observation ended.
func obeyedAt(ch results.Change) (at int64, ok bool) {
	if ch.Only != results.OnlyOld {
		if ch.FirstNew == 0 {
			return 0, false
		}
		at = ch.FirstNew
	}
	if ch.Only != results.OnlyNew {
		if ch.OldSettled == 0 {
			return 0, false
		}
		at = max(at, ch.LastOld)
	}
	return max(at, ch.Sent), true
}

// addStorms takes in how long changes of many Services at once took together, which
// have one kind and were due at one time.
func (s *changeSamples) addStorms(changes []results.Change) {
	type storm struct {
		kind string
		due  int64
	}
	size := map[storm]int{}
	last := map[storm]results.Change{} // the one that was obeyed last, or not at all
	for _, ch := range changes {
		key := storm{ch.Kind, ch.Due}
		size[key]++
		if ch.Error != "" || ch.Unseen != "" || isPodChange(ch) {
			continue
		}
		before, there := last[key]
		at, obeyed := obeyedAt(ch)
		was, wasObeyed := obeyedAt(before)
		if !there || wasObeyed && (!obeyed || at > was) {
			last[key] = ch
		}
	}
	for key, ch := range last {
		if size[key] < 2 {
			continue
		}
		if at, ok := obeyedAt(ch); ok {
			s.add(ch, results.ProgrammingStorm, at-key.due)
		} else {
			s.addLate(ch, results.ProgrammingStorm, max(1, ch.GaveUp-key.due))
		}
	}
}

// classes are those that a change counts for in a metric. Of endpoints that flap,
// changes are overtaken by design, and would make every latency a lower bound.
func (s *changeSamples) classes(ch results.Change, metric string) []string {
	var classes []string
	if !strings.HasPrefix(ch.Kind, "flap-") || metric == results.ChurnLag || metric == results.ProgrammingWrite {
		classes = append(classes, results.ClassAll)
	}
	if s.kinds {
		classes = append(classes, ch.Kind)
	}
	if ch.Rate != 0 {
		classes = append(classes, rateClass(ch.Rate))
	}
	return classes
}

func (s *changeSamples) of(metric, class string) *changeSample {
	key := sampleKey{metric, class}
	if s.values[key] == nil {
		s.values[key] = &changeSample{}
	}
	return s.values[key]
}

// add takes in a value, addLate that it was longer than that.
func (s *changeSamples) add(ch results.Change, metric string, took int64) {
	for _, class := range s.classes(ch, metric) {
		v := s.of(metric, class)
		v.took = append(v.took, took)
	}
}

func (s *changeSamples) addLate(ch results.Change, metric string, late int64) {
	for _, class := range s.classes(ch, metric) {
		v := s.of(metric, class)
		v.late = append(v.late, late)
	}
}

// fail counts a change that is no measurement.
func (s *changeSamples) fail(ch results.Change) {
	for _, metric := range []string{results.ProgrammingAdd, results.ProgrammingRemove, results.PodTotal, results.PodTraffic, results.PodRemove, results.PodLeave} {
		if ch.Only == results.OnlyNew && metric == results.ProgrammingRemove || ch.Only == results.OnlyOld && metric == results.ProgrammingAdd {
			continue
		}
		for _, class := range s.classes(ch, metric) {
			s.failed[sampleKey{metric, class}]++
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
		if n := derived.failed[key]; n > 0 {
			s.errors[unmeasured] += n
		}
	}
	c.mixed = c.mixed || slices.ContainsFunc(t.Changes, func(ch results.Change) bool { return ch.Kind != replaced })
	if limit, ok := saturation(t.Changes); ok {
		c.scalar(results.Saturation, "count/s").put(t.Block, limit.rate, limit.atLeast)
	}
}

// replaced is the kind of change that is alike for traffic and for kube-proxy's own
// metric: a write of an EndpointSlice that brings new endpoints.
const replaced = "replace-endpoints"

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
