package reports

import (
	"slices"

	"svcbench/internal/results"
)

// lateMessage is the same wherever it is said, so that it makes one footnote;
// the numbers are in the table of the validity section.
const lateMessage = "more than half of this time passed before the request was sent: it says more about a client short of CPU than about the mode"

// lagDoubts warns of the percentiles of HTTP response times that are mostly
// the load generator's own: those of which less than half is left when times
// are counted from when the request was sent. A response time counts from when
// the request was due, and so holds the lag.
//
// Latencies of connections count from connect() and do not hold it. A
// connector that is late harms only the claim that the load is open loop, and
// that only when it is late by the order of the time between two connections:
// of that the trial itself warns, which knows that time.
func (a *analysis) lagDoubts() []Doubt {
	var all []Doubt
	for _, s := range a.scenarios {
		for _, p := range s.points {
			for _, mode := range s.modes {
				if c := s.cell(p, mode); c != nil {
					all = append(all, c.lagDoubts(s.Name)...)
				}
			}
		}
	}
	return all
}

func (c *cell) lagDoubts(scenario string) []Doubt {
	var all []Doubt
	for _, metric := range []string{results.HTTPKeepAlive, results.HTTPNew} {
		response, service := c.merged(metric, results.ClassAll), c.merged(metric+results.ServiceTime, results.ClassAll)
		if response == nil || service == nil {
			continue
		}
		for _, p := range percentilesOf(results.ClassAll) {
			all = append(all, c.lagDoubt(scenario, metric, p)...)
		}
	}
	return all
}

// lagDoubt returns the warning about one percentile, if there is one.
func (c *cell) lagDoubt(scenario, metric string, p percentile) []Doubt {
	due, okDue := c.merged(metric, results.ClassAll).Quantile(p.q)
	sent, okSent := c.merged(metric+results.ServiceTime, results.ClassAll).Quantile(p.q)
	if !okDue || !okSent || due.AtLeast || 2*sent.NS >= due.NS || p.q > 0.5 && !c.merged(metric, results.ClassAll).Supports(p.q) {
		return nil
	}
	d := Doubt{Where: Where{scenario, c.point, c.mode, c.variant}, Metric: metric + "." + p.suffix, Message: lateMessage}
	for _, t := range c.trials {
		d.Blocks = append(d.Blocks, t.Block)
	}
	return []Doubt{d}
}

// lagTable shows how late the load generators were.
func (s *Summary) lagTable() *table {
	t := table{Head: []string{"load", "at", "mode", "lag p50", "lag p99", "latency p50", "latency p99", "p99 without the lag"}}
	for _, sc := range s.analysis.scenarios {
		for _, p := range sc.points {
			for _, mode := range sc.modes {
				for _, row := range sc.cell(p, mode).lagRows() {
					t.Rows = append(t.Rows, slices.Insert(row, 1, s.at(sc, []results.Point{p}), sc.label(mode)))
				}
			}
		}
	}
	return optional(t)
}

// lagRows are the rows of lagTable for a cell, without their place.
func (c *cell) lagRows() [][]string {
	var rows [][]string
	for _, load := range []struct{ metric, lag, without string }{
		{results.Connect, results.ConnectLag, results.Connect},
		{results.HTTPKeepAlive, results.HTTPKeepAlive + results.Lag, results.HTTPKeepAlive + results.ServiceTime},
		{results.HTTPNew, results.HTTPNew + results.Lag, results.HTTPNew + results.ServiceTime},
	} {
		lag, took := c.merged(load.lag, results.ClassAll), c.merged(load.metric, results.ClassAll)
		if lag == nil || took == nil {
			continue
		}
		row := []string{load.metric, quoted(lag, 0.5), quoted(lag, 0.99), quoted(took, 0.5), quoted(took, 0.99), dash}
		if without := c.merged(load.without, results.ClassAll); without != nil {
			row[5] = quoted(without, 0.99)
		}
		rows = append(rows, row)
	}
	return rows
}
