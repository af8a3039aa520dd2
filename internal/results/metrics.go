package results

import "strings"

// The metrics of histograms; see Histogram.Metric.
const (
	// Path is the time a connection's first packet spends inside the node.
	Path = "path"
	// Connect is the time from connect() to the established connection.
	Connect = "connect"
	// ConnectSyscall is the duration of the non-blocking connect() call.
	ConnectSyscall = "connect.syscall"
	// ConnectLag is how late connections were started.
	ConnectLag = "connect.lag"
	// ConnectChurn is Connect while the population is churned.
	ConnectChurn = "connect.churn"
	// ConnectRestart and ConnectRestartAPI are Connect while the proxy or the API
	// server is restarted.
	ConnectRestart    = "connect.restart"
	ConnectRestartAPI = "connect.restart-api"
	// HTTPKeepAlive and HTTPNew are response times, counted from when the
	// request was due, on kept connections and on a new one each.
	HTTPKeepAlive = "http.keepalive"
	HTTPNew       = "http.new"
	// ServiceTime is appended to an HTTP metric for the time counted from
	// when the request was really sent, Lag for how late that was.
	ServiceTime = ".service"
	Lag         = ".lag"
)

// The metrics that reports derive from changes, by percentile.
const (
	// ProgrammingAdd is the time from sending an API write to the start of
	// the first new connection that reaches a new endpoint.
	ProgrammingAdd = "programming.add"
	// ProgrammingRemove is the time from sending an API write to the start
	// of the last new connection that still reached a removed endpoint.
	ProgrammingRemove = "programming.remove"
	// ProgrammingTable is the time from sending an API write until the
	// kernel's tables led to the new endpoints alone, where they can be
	// looked up (mode ebpf).
	ProgrammingTable = "programming.table"
	// ProgrammingWrite is the time from sending an API write until the API server
	// acknowledged it, which is part of the others.
	ProgrammingWrite = "programming.write"
	// ProgrammingFailing is the time from sending an API write to the last new
	// connection that failed or reached the wrong endpoint, 0 if none did.
	ProgrammingFailing = "programming.failing"
	// FlowStale is the time from sending an API write that removes an endpoint to
	// the last answer of that endpoint on a connection that was there before,
	// censored where the connection led there until the end.
	FlowStale = "flow.stale"
	// FlowSilence is the time from the first question on such a connection that got no
	// answer to the first that another endpoint answered, 1 ns where none failed.
	FlowSilence = "flow.silence"
	// FlowFailed is how many questions on such connections got no answer.
	FlowFailed = "flow.failed"
	// ProgrammingStorm is the time from when a change of many Services at once was due
	// until traffic obeyed it at the last of those that were watched.
	ProgrammingStorm = "programming.storm"
	// ChurnLag is how late changes were written.
	ChurnLag = "churn.lag"
	// Pod is the prefix of the metrics of changes to real pods.
	Pod = "programming.pod."
	// PodTotal is the time from sending the API write to the start of the first
	// connection that reaches the pod that comes. Its parts are PodReady, until it
	// was ready, PodSlice from there until it was in an EndpointSlice, and
	// PodTraffic from there: only that is the work of a mode.
	PodTotal   = "programming.pod.total"
	PodReady   = "programming.pod.ready"
	PodSlice   = "programming.pod.slice"
	PodTraffic = "programming.pod.traffic"
	// PodRemove is the time from sending the API write to the start of the last
	// connection that still reached the pod that goes. PodLeave is the last part of
	// it, from when its EndpointSlice did not say any more that it is ready, and
	// from when its successor was in one, if it has one.
	PodRemove = "programming.pod.remove"
	PodLeave  = "programming.pod.leave"
	// PodGap is the time from the last connection that reached the pod that goes to
	// the first that reached its successor, in which nobody answered.
	PodGap = "programming.pod.gap"
)

// The scalars of a trial.
const (
	// ColdStart is the time from the execution of the proxy on a full
	// population to verified convergence.
	ColdStart = "coldstart.sync"
	// RestartSync is the time from the execution of a proxy that is started again on
	// its own rules to the first connection that obeys a change which was written
	// while it was away. RestartAPI is the time from when a restarted API server is
	// ready to the first connection that obeys a change written then.
	RestartSync = "restart.sync"
	RestartAPI  = "restart.api"
	// ProxyCPU is the CPU time from the proxy's start to the trial's end;
	// ProxyCPUStart and ProxyCPUChurn are its parts until convergence and
	// during churn.
	ProxyCPU      = "proxy.cpu.seconds"
	ProxyCPUStart = "proxy.cpu.coldstart"
	ProxyCPUChurn = "proxy.cpu.churn"
	// ProxyCPUChange is ProxyCPUChurn for each API write of the churn, and
	// ProxyCPUSystem the part of ProxyCPUChurn that was spent in the kernel.
	ProxyCPUChange = "proxy.cpu.change"
	ProxyCPUSystem = "proxy.cpu.system"
	// ProxyWritten is how many bytes the proxy wrote for each API write of the
	// churn; see clusters.Usage.
	ProxyWritten = "proxy.written.change"
	// ProxyRSS is the largest resident set of the proxy.
	ProxyRSS = "proxy.rss.max"
	// ProxySync is the prefix of what the proxy says itself of its work: with
	// kube-proxy in syncs, with Cilium in addresses of Services that it wrote.
	ProxySync = "proxy.sync."
	// ProxySyncFirst is how long the proxy was syncing until convergence, in
	// all its syncs together, ProxySyncChurn the mean duration of a sync
	// during churn, both by the proxy's own metric.
	ProxySyncFirst = "proxy.sync.coldstart"
	ProxySyncChurn = "proxy.sync.churn"
	// ProxySyncCount is the number of syncs during churn.
	ProxySyncCount = "proxy.sync.count"
	// ProxyProgramming is how long changes took by the proxy's own metric: the
	// median, interpolated in its buckets.
	ProxyProgramming = "proxy.sync.programming"
	// MachineSystem is the CPU time that the whole machine spent in the kernel
	// during churn, instruments and all.
	MachineSystem = "machine.cpu.system"
	// ConnectSaturation is the highest rate of new connections at which nine of ten
	// begin within 10 ms of when they were due and at most 1 % fail.
	ConnectSaturation = "connect.saturation"
	// Rules is the prefix of the numbers of kernel objects: rules, or entries
	// of maps.
	Rules = "rules."
	// Saturation is the highest rate of changes at which they did not wait for one
	// another, where several were tried; reports derive it.
	Saturation = "programming.saturation"
	// ChurnDue and ChurnSent are how many API writes the schedule of a churn asked
	// for, and how many were sent; ChurnRate is how many a second.
	ChurnDue  = "churn.due"
	ChurnSent = "churn.sent"
	ChurnRate = "churn.rate"
	// PopulateRate is the number of API objects written per second.
	PopulateRate = "populate.rate"
	// ClusterUp and ClusterDown are how long a cluster took to come and go.
	ClusterUp   = "cluster.up"
	ClusterDown = "cluster.down"
)

// Validity is the name under which it is missing that trials were checked.
const Validity = "validity"

// The classes of a histogram; see Histogram.Class.
const (
	ClassAll    = "all"
	ClassFirst  = "first"
	ClassMiddle = "middle"
	ClassLast   = "last"
	ClassDirect = "direct"
	// ClassChanged are Services that a churn changes.
	ClassChanged = "changed"
)

// HigherIsBetter reports whether more of a metric is an advantage.
func HigherIsBetter(metric string) bool { return metric == Saturation || metric == ConnectSaturation }

// LowerIsBetter reports whether less of a metric is an advantage. It is false
// for rates and for numbers that are no judgement, such as the rule count.
func LowerIsBetter(metric string) bool {
	switch {
	case metric == PopulateRate, metric == ChurnDue, metric == ChurnSent, metric == ChurnRate, HigherIsBetter(metric), strings.HasPrefix(metric, Rules), metric == ProxySyncCount:
		return false
	}
	return true
}
