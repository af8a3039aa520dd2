package reports

import (
	"fmt"

	"svcbench/internal/results"
)

// nativeFigure sets what the proxies say themselves of programming latency beside
// what traffic has seen, where both count the same changes.
func nativeFigure(s *sheet) (*figure, error) {
	f := &figure{
		ID: s.id("native"), Title: "What the proxies say themselves, beside traffic",
		Reading: "Medians over blocks. kube-proxy's histogram network_programming_duration begins when the change was about to be written and ends when its rules were; " +
			"it has no bucket below 250 ms and cannot tell what is faster. With Cilium it is svcbench that looks at the maps in the kernel. " +
			"What traffic saw later is time that a dashboard with these metrics does not show.",
		Table: table{Head: []string{"point", "mode", "by", "median of its own", "first connection to a new endpoint, median", "traffic later by"}},
	}
	for _, p := range s.points {
		for _, mode := range s.modes {
			traffic := s.row(p, mode, results.ProgrammingAdd+".p50")
			if traffic == nil || !traffic.Estimate.Known() || s.cell(p, mode).mixed {
				continue
			}
			for _, own := range []struct{ metric, by string }{
				{results.ProxyProgramming, "kube-proxy's metric"}, {results.ProgrammingTable + ".p50", "the maps in the kernel"},
			} {
				r := s.row(p, mode, own.metric)
				if r == nil || !r.Estimate.Known() {
					continue
				}
				f.Table.Rows = append(f.Table.Rows, []string{
					s.sizeName(p), s.label(mode), own.by, estimate(*r), estimate(*traffic), difference(*traffic, *r),
				})
			}
		}
	}
	return f, nil
}

// difference writes how much more a is than b, with what share of b that is.
func difference(a, b Row) string {
	more := a.Estimate - b.Estimate
	text := format(max(more, -more), a.Unit)
	if more < 0 {
		text = "−" + text
	}
	if b.Estimate == 0 {
		return text
	}
	return fmt.Sprintf("%s (%+.0f%%)", text, 100*float64(more/b.Estimate))
}
