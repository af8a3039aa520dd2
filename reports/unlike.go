package reports

import (
	"strings"

	"svcbench/internal/results"
	"svcbench/scenarios"
)

// noRatio begins every reason why there is no ratio.
const noRatio = "no ratio: "

// The reasons why numbers of one name are no ratio: they are of different
// things.
const (
	unlikeSyncs = noRatio + "kube-proxy counts and times syncs of its rules, Cilium single addresses of Services"
	unlikeRules = noRatio + "rules and what belongs to them are other things than entries of Cilium's maps"
	unlikePath  = noRatio + "the socket datapath translates inside connect(), before a packet reaches the node; compare connect.syscall"
)

// unlike says why the row's number is not of the same thing as that of the
// baseline; "" if it is.
func (r *Row) unlike(baseline Where) string {
	oneIs := func(is func(Where) bool) bool { return is(Where{Mode: r.Mode, Variant: r.Variant}) != is(baseline) }
	switch {
	case hasPrefix(r.Metric, results.ProxySync) && oneIs(isCilium):
		return unlikeSyncs
	case hasPrefix(r.Metric, results.Rules) && oneIs(isCilium):
		return unlikeRules
	case hasPrefix(r.Metric, results.Path) && !isDirect(r.Metric) && oneIs(isSocket):
		return unlikePath
	}
	return ""
}

func isCilium(w Where) bool { return results.BaseMode(w.Mode) == string(scenarios.EBPF) }

func isSocket(w Where) bool { return isCilium(w) && w.Variant == string(scenarios.DatapathSocket) }

// aboutSocket is what readers of a figure of the path must know where a mode
// translates before it; "" where none does.
func (s *scenario) aboutSocket() string {
	for _, mode := range s.modes {
		if isSocket(s.where(results.Point{}, mode)) {
			return s.label(mode) + " translates before that, inside connect(): here is forwarding alone. "
		}
	}
	return ""
}

// remarkOn is what the title of a metric must say where these modes are
// compared by it; "" if that is nothing.
func (s *scenario) remarkOn(metric string) string {
	var remarks []string
	for _, mode := range s.modes {
		switch w := s.where(results.Point{}, mode); {
		case isDirect(metric) && results.BaseMode(mode) == string(scenarios.IPTables) && !results.IsAgain(mode):
			remarks = append(remarks, "no floor in iptables mode: compared with the rules of all Services")
		case isCilium(w) && (metric == results.ColdStart || metric == results.ProxyCPU):
			remarks = append(remarks, s.label(mode)+": with compiling its BPF programs")
		case isCilium(w) && metric == results.Rules+"count":
			remarks = append(remarks, s.label(mode)+": entries of the map of Services")
		case isCilium(w) && metric == results.ProxySyncFirst:
			remarks = append(remarks, s.label(mode)+": time spent writing addresses of Services")
		case isCilium(w) && metric == results.ProxySyncChurn:
			remarks = append(remarks, s.label(mode)+": mean time to write one address of a Service")
		case isSocket(w) && hasPrefix(metric, results.Path):
			remarks = append(remarks, s.label(mode)+": translated before, inside connect()")
		}
	}
	if len(remarks) == 0 {
		return ""
	}
	return " (" + strings.Join(remarks, "; ") + ")"
}
