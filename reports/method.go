package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// methodNote says how one kind of number came about.
type methodNote struct {
	// metrics are the names it explains; it is shown if one was measured.
	// None means that it is always shown.
	metrics []string
	Title   string
	Text    []string
}

// method returns the notes that the rows need.
func method(rows []Row, e Environment, rates []results.ChosenRate) []methodNote {
	times := methodNote{nil, "Unit of times", []string{e.unitOfTimes()}}
	return slices.DeleteFunc(slices.Concat([]methodNote{times}, rateNotes(rates), instrumentNotes(), statisticsNotes()), func(n methodNote) bool {
		return len(n.metrics) > 0 && !slices.ContainsFunc(rows, func(r Row) bool {
			return slices.ContainsFunc(n.metrics, func(m string) bool {
				return hasPrefix(r.Metric, m) && (r.Metric != results.ConnectSaturation || m == r.Metric)
			})
		})
	})
}

// rateNotes says of each rate that the run chose what it rests on.
func rateNotes(rates []results.ChosenRate) []methodNote {
	if len(rates) == 0 {
		return nil
	}
	n := methodNote{Title: "Rates of connections"}
	for _, r := range rates {
		var limits []string
		for _, mode := range slices.Sorted(maps.Keys(r.Saturation)) {
			limits = append(limits, fmt.Sprintf("%s %s", mode, thousands(int64(r.Saturation[mode]))))
		}
		n.Text = append(n.Text, fmt.Sprintf("Scenario %s leaves its rate open. Before the first trial modes were tried at %s, and kept up with so many new connections a second: %s. %s a second are half or less of the least of them.%s",
			r.Scenario, pointName(r.Point), strings.Join(limits, ", "), thousands(int64(r.Rate)), doubtOf(r)))
	}
	return []methodNote{n}
}

// doubtOf says why a rate that was chosen may be too low; "" without a reason.
func doubtOf(r results.ChosenRate) string {
	if r.Untrusted == "" {
		return ""
	}
	return " They may do more: " + r.Untrusted + "."
}

// directNote says what connections without a Service are not.
const directNote = "Connections to pod IPs are no floor in iptables mode: their first packet fits no rule of a Service and is compared with all of them before it may pass, as one to the last Service is. Where Services are looked up in a table, they are a floor."

func instrumentNotes() []methodNote {
	return []methodNote{
		{[]string{results.Path}, "path: inside the node", []string{
			"The time that the first packet of a connection (its SYN) spends inside the node, from the client's link to the backend's link. Two BPF programs on the two links stamp the packet inside the kernel; a packet is recognised on its way out by its TCP sequence number, which no mode rewrites. The figure holds the work of the Service implementation and of forwarding, and nothing of the client, the scheduler, the Go runtime or the backend.",
			"With the socket datapath of ebpf, which translates inside connect(), the packet already carries the backend's address when it reaches the node: its path is that of forwarding alone and is not compared. There connect.syscall is the figure to compare.",
		}},
		{[]string{results.Path + ".first", results.Path + ".d01", results.Connect + ".first"}, "Positions", []string{
			"Which Service is first is read from the rules in the kernel, in every trial; it is not the order of creation. first, middle and last are Services at those places, d01 to d10 are tenths of the order, and names without a class are the others, over which connections are spread evenly. Modes that look Services up in a table have no order and no tenths; there first, middle and last follow the cluster IPs.",
		}},
		{[]string{results.Connect}, "connect: seen by a client", []string{
			"The time from calling connect() to the established connection. New connections start at a fixed rate whether or not earlier ones have finished. connect.syscall is the duration of the non-blocking connect() call itself; on the virtual links of one machine the whole handshake runs inside it and the two are the same. connect.lag is how late connections were started against the schedule. It is no part of the latency; where more than 5% of the connections began only after the next one was due, the load was not the one asked for and there is a warning.",
			"direct is the same to pod IPs, without a Service. " + directNote,
			"A connection that takes longer than the scenario's time-out is censored: it counts as longer than anything seen.",
		}},
		{[]string{results.ConnectSaturation}, "connect.saturation: how many connections", []string{
			"The highest rate of new connections at which nine of ten begin within 10 ms of when they were due and at most 1% fail. Rates are doubled until one is not kept up with, twice, for a second each, and then the distance to the one before is halved three times, in ratios: the limit is between the number and a ninth above it. The client shares the machine's processors, so that the number is one to compare modes by, and not what a node of that size can do.",
		}},
		{[]string{results.HTTPKeepAlive, results.HTTPNew}, "http: requests", []string{
			"Response times of HTTP requests at a fixed rate, once on kept connections and once with a new connection for each request. A response time counts from the moment the request was due, so that a stall is charged to all requests it held up. .service counts from when the request was really sent, .lag is the difference. A percentile of which less than half is left without the lag has a warning.",
		}},
		{[]string{results.ProgrammingAdd, results.ProgrammingRemove}, "programming: after a change", []string{
			"One change replaces every endpoint of a Service by new ones in one API write. The new pods answer before it, and the old ones go on answering after it, so that nothing but the proxy decides who is reached. From before the write until the change has settled, a new connection to the Service is opened every millisecond, and the pod says who it is.",
			"programming.add is the time from sending the write to the start of the first connection that reached a new endpoint; programming.remove to the start of the last connection that still reached a removed one, 0 if none did after the write. A change that traffic had not seen when observation ended is censored with the time until then. A change whose write failed is counted as an error. The resolution is one millisecond. The probes are load themselves, a thousand connections a second for each change under way, so that a mode that takes longer is probed for longer.",
		}},
		{[]string{results.PodTotal}, "programming.pod: changes to real pods", []string{
			"One change is one to real pods, behind a Service of their own beside the population; the scenario's churn.kind says which. Where a pod comes, programming.pod.total is the time from sending the write to the start of the first connection that reached it. It has three parts: .ready until the pod was ready, .slice from there until it was in an EndpointSlice, both as a watch of the API server saw them, and .traffic from there to that first connection. Where a pod goes, .remove is the time from the write to the start of the last connection that reached it, and .leave the part of that after its EndpointSlice did not say any more that it is ready, and its successor was in one if it has one; .gap is the time in which nobody answered, from the last connection that reached the old pod to the first that reached the new one. Only .traffic and .leave are the work of a mode, and only they are judged. A pod goes on answering for two seconds after it is told to end, and while a Service has no other, modes send connections there on purpose; where it stopped before its successor was an endpoint, there is no .leave.",
		}},
		{[]string{results.ProgrammingTable}, "programming.table: in the kernel's tables", []string{
			"The time from sending the write until the kernel's tables led to the new endpoints, to all of them and to no other, as a look at them every millisecond found. It exists where the tables can be read while they are written, which is with Cilium's maps in mode ebpf: it is compared with no other mode, and tells how much of programming.add is the work of the control plane and the agent. Both have a resolution of one millisecond, by which the table may come after the first connection. A change that the tables had not shown when observation ended is censored. The looks stop when they have found the change; until then they cost some CPU time, in this mode alone.",
		}},
		{[]string{results.ColdStart}, "coldstart", []string{
			"The time from executing the proxy on a full population to the moment when every sampled Service, the first, the middle, the last and some drawn at random, has been answered by its own endpoints. Cilium's agent compiles its BPF programs with clang at every start; that is part of the time, and of its CPU time.",
		}},
		{[]string{"proxy", "rules", results.PopulateRate}, "proxy and rules: what a mode costs", []string{
			"proxy.cpu.seconds is user and system time of the proxy and of the programs it ran and waited for, from its start to the end of the trial; coldstart and churn are parts of it. proxy.rss.max is the largest resident set of the proxy's own process. populate.rate is API objects written per second, by the trials that wrote a population; it says how busy the machine was, not how good a mode is.",
			"proxy.sync is what the proxy says itself. With kube-proxy it is kubeproxy_sync_proxy_rules_duration_seconds: coldstart is the sum of its syncs until convergence, churn the mean of those during churn, count their number. Cilium has no syncs: it writes one address of a Service (a frontend) after the other, and its numbers are those of cilium_reconciler_duration_seconds over all frontends: coldstart is the sum, churn the mean of a single one, count how many were written. The two are not compared.",
			"rules are counts of objects in the kernel, read back from it. With kube-proxy, count is the rules (with IPVS the virtual servers), elements those of sets and maps (with IPVS the real servers). With Cilium, count is the entries of the map of Services, with a slot for each endpoint, elements the entries of all maps of the load balancer, sets the number of these maps, and memory the bytes that the kernel charges for them, which depend on their size and hardly on what is in them. Counts are no judgement, and those of Cilium are not set against those of kube-proxy.",
		}},
	}
}

func statisticsNotes() []methodNote {
	return []methodNote{
		{nil, "Percentiles", []string{
			"Histograms have three significant digits. The histograms of all blocks are added and the percentile is read from the sum by nearest rank, time-outs included; percentiles are never averaged. One that falls among the time-outs is a lower bound and is written with >. " +
				fmt.Sprintf("A percentile is quoted if at least %d samples lie beyond it. Changes of endpoints are few and each is an experiment: their percentiles are quoted if the distribution-free 95%% interval exists, which takes 36 changes for p90 and 368 for p99. The median is always quoted, with a warning if it does not fulfil this.", stats.Beyond),
		}},
		{nil, "Intervals", []string{
			"The unit that was repeated is the trial, not the request: the requests of one trial share its machine and its minute, so that a million of them are still one observation. The interval of a percentile is the estimate times exp(± t(n-1) s/√n), where s is the standard deviation of the logarithms of the n blocks' own percentiles. " +
				fmt.Sprintf("A metric with one value per trial is the median over blocks, with the exact interval from order statistics if there are at least %d blocks, and below that with Student's t of their logarithms, which trusts that they scatter normally.", stats.LeastExact),
		}},
		{nil, "Ratios and verdicts", []string{
			"A ratio is taken inside each block, where both modes met the same conditions, and then summarised: the median of the paired ratios, with an interval by the same rule. It need not equal the quotient of the two estimates beside it.",
			fmt.Sprintf("A difference is called better or worse if the interval of its ratio excludes 1 and the larger number is more than %.0f%% above the smaller, and slight if it is not; the limit is one for every metric. Where the whole interval lies within it the modes are the same for all that matters. Else no difference is shown, which does not prove that there is none. Every verdict stands for itself: of twenty comparisons of modes that do not differ, about one excludes 1 by chance. With fewer than %d blocks no verdict is given, however large a difference looks. Numbers that are lower bounds, or of which more than %.0f%% of the attempts failed, are not compared.",
				100*Relevant, stats.LeastExact, 100*TolerableErrors),
		}},
		{nil, "What the numbers are not", []string{
			"One machine plays all parts: the proxy competes with the API server, the client and the backends for the same CPUs. Compare modes with each other at the same point of the same run, and do not take absolute latencies for those of another cluster.",
		}},
	}
}
