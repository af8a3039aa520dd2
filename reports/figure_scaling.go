package reports

import (
	"cmp"
	"fmt"
	"math"

	"svcbench/internal/results"
	"svcbench/reports/chart"
)

// panel is one chart of a scaling figure: a metric against the scale axis.
type panel struct {
	metric, title string
	// class is that of the targets or changes; empty means all.
	class string
}

// of is the class of the panel.
func (p panel) of() string { return cmp.Or(p.class, results.ClassAll) }

// scaling draws metrics against the scale axis on logarithmic axes. Panels
// whose unit is the same share their axes when shared is true.
func (s *sheet) scaling(f *figure, panels []panel, shared bool) (*figure, error) {
	f.ID = s.id(f.ID)
	axis := s.axis()
	var charts []*chart.Chart
	for _, p := range panels {
		f.Table.Rows = append(f.Table.Rows, s.numbers(p)...)
		for _, group := range axis.groups {
			if len(group.points) > 1 {
				charts = append(charts, s.scalingChart(axis, group, p))
			}
		}
	}
	f.Table.Head = []string{"what", "point", "mode", "estimate", "95% interval", "ratio to " + s.label(s.baseline), "blocks"}
	if shared {
		chart.Align(charts)
	}
	return f, f.draw(charts)
}

// scalingChart draws a metric over the points of a group, a line for each
// mode.
func (s *sheet) scalingChart(axis scaleAxis, group scaleGroup, p panel) *chart.Chart {
	c := &chart.Chart{Title: p.title, X: chart.Axis{Label: axis.label, Log: true}, Y: chart.Axis{Log: true}}
	if group.name != "" {
		c.Title += ", " + group.name
	}
	first, last := axis.value(group.points[0]), axis.value(group.points[len(group.points)-1])
	c.X.Min, c.X.Max = float64(first)/1.15, float64(last)*1.15
	for _, at := range group.points {
		v := float64(axis.value(at))
		c.X.Ticks = append(c.X.Ticks, chart.Tick{Value: v, Label: chart.Compact(v)})
	}
	for i, mode := range s.modes {
		line := chart.Series{Name: s.label(mode), Style: s.analysis.modeStyle(mode), Kind: chart.Marked}
		// Modes stand a little beside each other, so that their intervals
		// can be told apart.
		aside := math.Pow(c.X.Max/c.X.Min, 0.008*(float64(i)-float64(len(s.modes)-1)/2))
		for _, at := range group.points {
			r := s.row(at, mode, p.metric)
			if r == nil || !r.Estimate.Known() || r.AtLeast {
				continue
			}
			c.Y.Format, c.Y.Label = tickFormat(r.Unit), quantity(r.Unit)
			line.Points = append(line.Points, chart.Point{
				X: float64(axis.value(at)) * aside, Y: float64(r.Estimate), Lo: float64(r.Lo), Hi: float64(r.Hi),
			})
		}
		c.Series = append(c.Series, line)
	}
	return c
}

// numbers are the rows of a figure's table for one panel.
func (s *sheet) numbers(p panel) [][]string {
	var rows [][]string
	for _, at := range s.points {
		for _, mode := range s.modes {
			r := s.row(at, mode, p.metric)
			if r == nil {
				continue
			}
			rows = append(rows, []string{
				p.title, s.sizeName(at), s.label(mode), estimate(*r), interval(*r), ratio(*r), thousands(int64(r.N)),
			})
		}
	}
	return rows
}

// interval writes the interval of a row's estimate.
func interval(r Row) string { return orDash(formatInterval(r.Estimate, r.Lo, r.Hi, r.Unit)) }

// ratio writes the ratio of a row with its interval.
func ratio(r Row) string { return joined(formatRatio(r.Ratio), ratioDetail(r)) }

// ratioDetail writes the interval of a row's ratio, and on how many blocks both
// rest if that is not the number of the estimate; "" if there is neither.
func ratioDetail(r Row) string {
	if !r.Ratio.Known() || r.Pairs == r.N {
		return ratioInterval(r)
	}
	return joined(ratioInterval(r), fmt.Sprintf("n=%d", r.Pairs))
}

// ratioInterval writes the interval of a row's ratio, "" if there is none.
func ratioInterval(r Row) string {
	// Never shortened past 1: whether the interval contains it is what it is
	// read for.
	return formatRange(r.RatioLo, r.RatioHi, min(r.Ratio, 1)/faraway, max(r.Ratio, 1)*faraway, ratioDigits)
}

func orDash(s string) string {
	if s == "" {
		return dash
	}
	return s
}

// quantity names what a unit measures.
func quantity(unit string) string {
	switch unit {
	case "s":
		return "time"
	case "bytes":
		return "memory"
	}
	return "number"
}

const logLog = "Both axes are logarithmic; bars are 95% intervals over blocks. " +
	"Where you see no bar, there is none or it is smaller than the marker; one without an end goes on beyond the edge."

func pathScaling(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "path-scaling", Title: "Time of a connection's first packet inside the node, by size",
		Reading: s.aboutSocket() + "A line that rises says that the mode pays for the number of Services, a level one that it does not. " + logLog,
	}, []panel{{metric: "path.p50", title: "Median"}, {metric: "path.p99", title: "99th percentile"}}, true)
}

func connectScaling(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "connect-scaling", Title: "Time to open a connection, by size",
		Reading: "A connection to a pod IP uses no Service, but it is no floor in iptables mode: its first packet is compared with the rules of all Services before it may pass. " + logLog,
	}, []panel{{metric: "connect.p50", title: "Median"}, {metric: "connect.p99", title: "99th percentile"}, {metric: "connect.direct.p50", title: "Median to a pod IP, without a Service"}}, true)
}

func httpFigure(s *sheet) (*figure, error) {
	f := &figure{
		ID: "http", Title: "HTTP response time, on kept and on new connections",
		Reading: "A request on a kept connection no longer meets the Service rules, one on a new connection pays for them once. " +
			"Response times count from when the request was due. " + logLog,
	}
	if len(s.points) > 1 {
		return s.scaling(f, []panel{
			{metric: "http.keepalive.p50", title: "Kept connection, median"}, {metric: "http.new.p50", title: "New connection, median"},
			{metric: "http.keepalive.p99", title: "Kept connection, 99th percentile"}, {metric: "http.new.p99", title: "New connection, 99th percentile"},
		}, true)
	}
	f.Reading = "A request on a kept connection no longer meets the Service rules, one on a new connection pays for them once. " +
		"Response times count from when the request was due. " + curveReading
	f.ID = s.id(f.ID)
	var charts []*chart.Chart
	f.Table.Head = curveHead()
	for _, kind := range []struct{ metric, title string }{
		{metric: results.HTTPKeepAlive, title: "Kept connection"}, {metric: results.HTTPNew, title: "New connection"},
	} {
		for _, p := range s.points {
			charts = append(charts, s.curve(kind.metric, kind.title, p))
			f.Table.Rows = append(f.Table.Rows, s.curveNumbers(panel{metric: kind.metric, title: kind.title}, p)...)
		}
	}
	chart.Align(charts)
	return f, f.draw(charts)
}

func coldStartFigure(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "coldstart", Title: "Cold start on a full population",
		Reading: "The time from starting the proxy until traffic reached every sampled Service, and what part of it the proxy spent on programming by its own metric: kube-proxy in syncs, Cilium writing one address of a Service after the other. " + logLog,
	}, []panel{{metric: results.ColdStart, title: "Until traffic converged"}, {metric: results.ProxySyncFirst, title: "Of that, in syncs or writes"}}, true)
}

func restartFigure(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "restart", Title: "Restarts",
		Reading: "The rules stay where they are while a proxy is away, so that connections go on; what is late are changes. The table under \"Every number\" says whether connections failed meanwhile. " + logLog,
	}, []panel{{metric: results.RestartSync, title: "Proxy started until a missed change is obeyed"}, {metric: results.RestartAPI, title: "API server ready until its first change is"}}, true)
}

func costFigure(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "cost", Title: "What the proxy itself costs",
		Reading: "CPU time holds that of the programs the proxy runs. " + logLog,
	}, []panel{
		{metric: results.ProxyCPU, title: "CPU time of the whole trial"}, {metric: results.ProxyCPUStart, title: "CPU time until converged"},
		{metric: results.ProxyCPUChurn, title: "CPU time during churn"}, {metric: results.ProxyCPUChange, title: "CPU time for each API write"}, {metric: results.ProxyRSS, title: "Largest resident memory"},
	}, false)
}

func rulesFigure(s *sheet) (*figure, error) {
	return s.scaling(&figure{
		ID: "rules", Title: "Objects in the kernel",
		Reading: "Counts, not judgements: a rule of iptables, an element of an nftables map and an entry of one of Cilium's maps do not cost the same. " + logLog,
	}, []panel{
		{metric: results.Rules + "count", title: "Rules, or entries for Services"}, {metric: results.Rules + "chains", title: "Chains"},
		{metric: results.Rules + "sets", title: "Sets and maps"}, {metric: results.Rules + "elements", title: "Elements of sets and maps"},
		{metric: results.Rules + "memory", title: "Memory of maps"},
	}, false)
}
