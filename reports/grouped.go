package reports

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"svcbench/internal/results"
)

// remark is a sentence about a metric at one place: a warning, or why the
// metric was not measured.
type remark struct {
	Where
	metric, text string
	blocks       []int
}

// missingTable lists what was not measured, few lines for many places.
func (s *Summary) missingTable() *table {
	var all []remark
	for _, m := range s.Missing {
		all = append(all, remark{m.Where, m.Metric, m.Because, m.Blocks})
	}
	return s.grouped(all, "metric", "because")
}

// warningTable lists the warnings, few lines for many places.
func (s *Summary) warningTable() *table {
	var all []remark
	for _, w := range s.Warnings {
		all = append(all, remark{w.Where, w.Metric, w.Message, w.Blocks})
	}
	return s.grouped(all, "about", "warning")
}

// grouped makes one row of the remarks that say the same but for numbers: of
// one metric at all its places, and of several metrics if their places are the
// same. The order is that of the first remark of each row.
func (s *Summary) grouped(all []remark, about, text string) *table {
	type group struct {
		metrics []string
		remarks []remark
	}
	var groups []*group
	for _, r := range all {
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.metrics[0] == r.metric && shape(g.remarks[0].text) == shape(r.text)
		})
		if i < 0 {
			groups = append(groups, &group{metrics: []string{r.metric}})
			i = len(groups) - 1
		}
		groups[i].remarks = append(groups[i].remarks, r)
	}
	var merged []*group // of metrics
	for _, g := range groups {
		i := slices.IndexFunc(merged, func(m *group) bool {
			return shape(m.remarks[0].text) == shape(g.remarks[0].text) && slices.Equal(s.places(m.remarks), s.places(g.remarks))
		})
		if i < 0 {
			merged = append(merged, g)
			continue
		}
		merged[i].metrics = append(merged[i].metrics, g.metrics...)
		merged[i].remarks = append(merged[i].remarks, g.remarks...)
	}
	t := table{Head: []string{about, "where", text}, Prose: true}
	for _, g := range merged {
		names := strings.Join(g.metrics, ", ")
		if names == "" {
			names = "everything"
		}
		texts := make([]string, len(g.remarks))
		for i, r := range g.remarks {
			texts[i] = r.text
		}
		t.Rows = append(t.Rows, []string{names, strings.Join(s.places(g.remarks), "; "), ranged(texts)})
	}
	return optional(t)
}

// places writes where remarks are made: modes with the points and blocks they
// have in common, in the order of reports.
func (s *Summary) places(all []remark) []string {
	type modes struct {
		names []string
		at    string
	}
	var places []modes
	for _, sc := range s.analysis.scenarios {
		for _, mode := range sc.modes {
			var points []results.Point
			blocks := map[int]bool{}
			for _, p := range sc.points {
				for _, r := range all {
					if r.Where != sc.where(p, mode) {
						continue
					}
					if !slices.Contains(points, p) {
						points = append(points, p)
					}
					for _, b := range r.blocks {
						blocks[b] = true
					}
				}
			}
			if len(points) == 0 {
				continue
			}
			at := s.at(sc, points) + inBlocks(slices.Sorted(maps.Keys(blocks)), sc.mostBlocks())
			i := slices.IndexFunc(places, func(m modes) bool { return m.at == at })
			if i < 0 {
				places = append(places, modes{at: at})
				i = len(places) - 1
			}
			places[i].names = append(places[i].names, sc.label(mode))
		}
	}
	var texts []string
	for _, m := range places {
		texts = append(texts, strings.Join(m.names, ", ")+" at "+m.at)
	}
	return texts
}

// at names points of a scenario: "1,000 and 5,000 Services", with the scenario
// if there are several.
func (s *Summary) at(sc *scenario, points []results.Point) string {
	var names []string
	for _, p := range points {
		names = append(names, sc.sizeName(p))
	}
	text := enumerated(shared(names))
	if len(points) == len(sc.points) && len(points) > 1 {
		text = "every size"
	}
	if len(s.analysis.scenarios) > 1 {
		text += " of " + sc.Name
	}
	return text
}

// shared leaves out what is the same at the end of names, but at the last one:
// "1,000", "5,000 Services".
func shared(names []string) []string {
	short := slices.Clone(names)
	for i := range len(short) - 1 {
		number, thing, _ := strings.Cut(short[i], " ")
		_, last, _ := strings.Cut(short[len(short)-1], " ")
		if thing == last {
			short[i] = number
		}
	}
	return short
}

var numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// shape is a text without its numbers.
func shape(text string) string { return numbers.ReplaceAllString(text, "0") }

// ranged writes texts of one shape as one: numbers that differ become the range
// from the smallest to the largest.
func ranged(texts []string) string {
	at := 0
	return numbers.ReplaceAllStringFunc(texts[0], func(first string) string {
		least, most := first, first
		for _, t := range texts[1:] {
			n := numbers.FindAllString(t, -1)[at]
			if value(n) < value(least) {
				least = n
			}
			if value(n) > value(most) {
				most = n
			}
		}
		at++
		if least == most {
			return first
		}
		return fmt.Sprintf("%s to %s", least, most)
	})
}

// value is the number that numbers found.
func value(digits string) float64 {
	v, _ := strconv.ParseFloat(digits, 64) // the pattern lets nothing else through
	return v
}
