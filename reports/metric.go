package reports

import (
	"strings"

	"svcbench/internal/results"
)

// percentile is a quantile with the end of its metric's name.
type percentile struct {
	q      float64
	suffix string
}

func headlinePercentiles() []percentile {
	return []percentile{{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p999"}}
}

// percentilesOf are the percentiles quoted for a class of targets: the
// headline has more than the others.
func percentilesOf(class string) []percentile {
	all := headlinePercentiles()
	switch {
	case class == results.ClassAll:
		return all
	case isPlace(class):
		return []percentile{all[0], all[2]}
	}
	return all[:3] // kinds of changes, which are few
}

// metricName joins the name of a histogram's metric and its class.
func metricName(metric, class string) string {
	if class == results.ClassAll {
		return metric
	}
	return metric + "." + class
}

// family is a group of metrics with a heading of its own, in the order of
// reports. What no family names comes last, by name.
type family struct {
	// name is the metric, without class and percentile.
	name  string
	title string
}

func families() []family {
	return []family{
		{results.Path, "First packet inside the node"},
		{results.Connect, "New connection, seen by the client"},
		{results.ConnectSyscall, "The connect() call"},
		{results.ConnectSaturation, "Highest rate of new connections that is kept up with"},
		{results.ConnectChurn, "New connection during churn"},
		{results.ConnectRestart, "New connection while the proxy restarts"},
		{results.ConnectRestartAPI, "New connection while the API server restarts"},
		{results.ConnectLag, "Connections started late"},
		{results.HTTPKeepAlive, "HTTP request on a kept connection"},
		{results.HTTPKeepAlive + results.ServiceTime, "HTTP request on a kept connection, from when it was sent"},
		{results.HTTPKeepAlive + results.Lag, "HTTP requests on kept connections sent late"},
		{results.HTTPNew, "HTTP request on a new connection"},
		{results.HTTPNew + results.ServiceTime, "HTTP request on a new connection, from when it was sent"},
		{results.HTTPNew + results.Lag, "HTTP requests on new connections sent late"},
		{results.ProgrammingAdd, "New endpoint reached after the API write"},
		{results.ProgrammingRemove, "Removed endpoint last reached after the API write"},
		{results.ProgrammingWrite, "API write acknowledged"},
		{results.ProgrammingFailing, "Last connection that failed after the API write"},
		{results.Saturation, "Highest rate of changes that do not wait for one another"},
		{results.ProgrammingTable, "New endpoints in the kernel's tables after the API write"},
		{results.ProgrammingStorm, "Many changes at once until the last is obeyed"},
		{results.FlowStale, "Kept connections led to a removed endpoint after the API write"},
		{results.FlowSilence, "Kept connections without an answer when an endpoint was removed"},
		{results.FlowFailed, "Questions on kept connections that failed"},
		{results.ChurnLag, "API writes sent late"},
		{results.ChurnDue, "API writes due"},
		{results.ChurnSent, "API writes sent"},
		{results.ChurnRate, "API writes sent per second"},
		{results.PodTotal, "New pod reached after the API write"},
		{results.PodReady, "New pod ready after the API write"},
		{results.PodSlice, "New pod in an EndpointSlice after it was ready"},
		{results.PodTraffic, "New pod reached after it was in an EndpointSlice"},
		{results.PodRemove, "Old pod last reached after the API write"},
		{results.PodLeave, "Old pod last reached after EndpointSlices led elsewhere"},
		{results.PodGap, "Nobody reached between the old pod and the new one"},
		{results.ColdStart, "Cold start until traffic converged"},
		{results.RestartSync, "Restarted proxy until a change is obeyed that it had missed"},
		{results.RestartAPI, "Restarted API server until its first change is obeyed"},
		{results.ProxyCPU, "CPU time of the proxy"},
		{results.ProxyCPUStart, "CPU time of the proxy until converged"},
		{results.ProxyCPUChurn, "CPU time of the proxy during churn"},
		{results.ProxyCPUChange, "CPU time of the proxy for each API write"},
		{results.ProxyCPUSystem, "CPU time of the proxy in the kernel during churn"},
		{results.ProxyWritten, "Bytes written by the proxy for each API write"},
		{results.MachineSystem, "CPU time of the machine in the kernel during churn"},
		{results.ProxyProgramming, "Changes programmed, by the proxy's own metric"},
		{results.ProxyRSS, "Largest memory of the proxy"},
		{results.ProxySyncFirst, "Time spent syncing until converged, by the proxy's own metric"},
		{results.ProxySyncChurn, "Mean sync during churn, by the proxy's own metric"},
		{results.ProxySyncCount, "Syncs, or addresses written, during churn"},
		{results.Rules + "count", "Rules in the kernel"},
		{results.Rules + "chains", "Chains in the kernel"},
		{results.Rules + "sets", "Sets and maps in the kernel"},
		{results.Rules + "elements", "Elements of sets and maps in the kernel"},
		{results.Rules + "memory", "Memory of maps in the kernel"},
		{results.PopulateRate, "API objects written per second"},
		{results.ClusterUp, "Cluster up"},
		{results.ClusterDown, "Cluster down"},
	}
}

// familyOf returns the family of a metric with class and percentile, and its
// position: the longest name that the metric begins with.
func familyOf(metric string) (family, int) {
	all := families()
	best, at := family{name: metric, title: metric}, len(all)
	length := 0
	for i, f := range all {
		if hasPrefix(metric, f.name) && len(f.name) > length {
			best, at, length = f, i, len(f.name)
		}
	}
	return best, at
}

// hasPrefix reports whether the dotted name begins with the parts of prefix.
func hasPrefix(name, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, ".")
	return name == prefix || strings.HasPrefix(name, prefix+".")
}

// metricTitle describes a metric in words.
func metricTitle(metric string) string {
	f, _ := familyOf(metric)
	rest := strings.TrimPrefix(strings.TrimPrefix(metric, f.name), ".")
	if rest == "" {
		return f.title
	}
	parts := strings.Split(rest, ".")
	for i, p := range parts {
		switch {
		case p == "p999":
			parts[i] = "p99.9"
		case p == results.ClassDirect:
			parts[i] = "to a pod IP"
		case p == results.ClassFirst, p == results.ClassMiddle, p == results.ClassLast, p == results.ClassChanged:
			parts[i] = p + " Services"
		case strings.HasPrefix(p, "rate-"):
			parts[i] = "at " + strings.ReplaceAll(strings.TrimPrefix(p, "rate-"), "_", ".") + " a second"
		case isTenth(p):
			parts[i] = "tenth " + strings.TrimLeft(p[1:], "0") + " of the rules"
		}
	}
	return f.title + ", " + strings.Join(parts, ", ")
}

// isDirect reports whether a metric is that of connections without a Service.
func isDirect(metric string) bool { return strings.Contains(metric+".", "."+results.ClassDirect+".") }

// isPlace reports whether class is that of targets, and not of changes.
func isPlace(class string) bool {
	switch class {
	case results.ClassFirst, results.ClassMiddle, results.ClassLast, results.ClassDirect, results.ClassChanged:
		return true
	}
	return isTenth(class)
}

// isTenth reports whether class is one of "d01" to "d10".
func isTenth(class string) bool {
	return len(class) == 3 && class[0] == 'd' && class >= "d01" && class <= "d10"
}

// headline reports whether a metric is in a report's main table; all others
// are in the complete one.
func headline(metric string) bool {
	switch metric {
	case "path.p50", "path.p99", "connect.p50", "connect.p99", "connect.direct.p50", "connect.syscall.p50",
		"connect.churn.p99", "http.keepalive.p50", "http.keepalive.p99", "http.new.p50", "http.new.p99",
		"programming.add.p50", "programming.add.p90", "programming.add.p99",
		"programming.remove.p50", "programming.remove.p90", "programming.remove.p99", "programming.failing.p99", "programming.storm.p50",
		"flow.stale.p50", "flow.silence.p50", results.Saturation, results.ConnectSaturation, results.RestartSync, results.RestartAPI, results.ProxyCPUChange,
		"programming.pod.total.p50", "programming.pod.ready.p50", "programming.pod.slice.p50",
		"programming.pod.traffic.p50", "programming.pod.traffic.p90", "programming.pod.remove.p50",
		"programming.pod.leave.p50", "programming.pod.leave.p90", "programming.pod.gap.p50",
		results.ColdStart, results.ProxyCPU, results.ProxyRSS, results.ProxySyncFirst, results.ProxySyncChurn,
		results.Rules + "count":
		return true
	}
	return false
}

// judged reports whether a difference of this metric is an advantage of a
// mode. It is not for the instruments' own health and for the harness itself.
// It is for connections to pod IPs: a mode that compares every new packet with
// its rules makes them slower too.
func judged(metric string) bool {
	switch {
	case !results.LowerIsBetter(metric) && !results.HigherIsBetter(metric),
		strings.Contains(metric+".", results.Lag+"."),
		hasPrefix(metric, results.ProgrammingWrite), // the API server's, in every mode
		metric == results.MachineSystem,             // that of the instruments is in it
		hasPrefix(metric, results.Pod) && !hasPrefix(metric, results.PodTraffic) && !hasPrefix(metric, results.PodLeave), // mostly Kubernetes', in every mode
		hasPrefix(metric, "cluster"):
		return false
	}
	return true
}
