package results

import (
	"fmt"
	"strings"
	"time"
)

// Point is the position of a trial on its scenario's scale axis.
type Point struct {
	Services  int `json:"services"`
	Endpoints int `json:"endpoints"`
	// Placement is where endpoints were, seen from the client, where the scenario
	// says it.
	Placement string `json:"placement,omitempty"`
	// Batching is "defaults", "none" or the window that modes had, such as "10s",
	// where that is an axis.
	Batching string `json:"batching,omitempty"`
}

// Extras are what else it says beside numbers of Services and endpoints, in words.
func (p Point) Extras() string {
	if p.Batching == "" {
		return p.Placement
	}
	return strings.TrimPrefix(p.Placement+", batching "+p.Batching, ", ")
}

// File is the point as a part of the names of files: "100x2-same-node".
func (p Point) File() string {
	name := fmt.Sprintf("%dx%d", p.Services, p.Endpoints)
	for _, more := range []string{p.Placement, p.Batching} {
		if more != "" {
			name += "-" + more
		}
	}
	return name
}

// Status says how a trial ended.
type Status string

// The ways a trial ends.
const (
	// Complete means that every phase ran to its end.
	Complete Status = "complete"
	// Failed means that a phase could not finish; what was measured before
	// is kept but never compared.
	Failed Status = "failed"
)

// Trial is one scenario point in one mode, measured once: everything that
// was counted, with nothing derived. It is stored as trial.json in the
// trial's folder; histograms and changes lie beside it.
type Trial struct {
	// ID is the name of the trial's folder, unique within the run.
	ID       string `json:"id"`
	Scenario string `json:"scenario"`
	Point    Point  `json:"point"`
	Mode     string `json:"mode"`
	// Variant is what the mode was set up as; see ModeName.
	Variant  string `json:"variant,omitempty"`
	Provider string `json:"provider"`
	// Block counts from 1; the trials of one block are compared in pairs.
	Block int `json:"block"`
	// Order is the position of the trial in the whole run, from 1.
	Order int `json:"order"`

	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Status   Status    `json:"status"`
	// Error says why the trial failed; empty when it is complete.
	Error string `json:"error,omitempty"`
	// Clock is what its times count; empty means the time of the machine.
	Clock Clock `json:"clock,omitempty"`

	// Checks say whether the trial can be trusted; see Trial.Untrusted.
	Checks []Check `json:"checks,omitempty"`
	// Correct is nil if the trial did not come so far.
	Correct *Correct `json:"correct,omitempty"`

	Phases   []Phase   `json:"phases"`
	Scalars  []Scalar  `json:"scalars"`
	Missing  []Missing `json:"missing,omitempty"`
	Warnings []Warning `json:"warnings,omitempty"`
	// ProxyConfig is the proxy's complete configuration, as it was given.
	ProxyConfig string `json:"proxyConfig"`
	// Notes are facts of this mode that a reader needs beside its numbers.
	Notes []string `json:"notes,omitempty"`

	// Histograms are stored in histograms.json.
	Histograms []Histogram `json:"-"`
	// Series are stored in series.json.
	Series []Series `json:"-"`
	// Changes are stored in changes.jsonl, one a line.
	Changes []Change `json:"-"`
}

// Check is a condition of trust in a trial.
type Check struct {
	// Name is "others", "steal", "conntrack", "memory", "drift", "late",
	// "unsent", "failed", "paused" or "clock".
	Name string `json:"name"`
	// Value is what was found, Limit the most that is allowed.
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	// Unit is "processors", "count", "ratio" or "s".
	Unit string `json:"unit"`
	// Because says what is wrong; empty if the check has passed.
	Because string `json:"because,omitempty"`
}

// Untrusted says why the trial cannot be trusted; "" if it can.
func (t *Trial) Untrusted() string {
	var why []string
	for _, c := range t.Checks {
		if c.Because != "" {
			why = append(why, c.Because)
		}
	}
	return strings.Join(why, "; ")
}

// PhaseFreeze is the name of the time in which the proxy was frozen, inside that of
// the churn.
const PhaseFreeze = "freeze"

// Phase is a named part of a trial. Times are nanoseconds of CLOCK_MONOTONIC.
type Phase struct {
	Name  string `json:"name"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

// Scalar is a metric with one value per trial, such as "proxy.rss.max".
type Scalar struct {
	// Metric is the dotted, stable name.
	Metric string `json:"metric"`
	// Unit is "s", "bytes", "count", "count/s" or "ratio".
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	// Censored means that the value is a lower bound: a time-out.
	Censored bool `json:"censored,omitempty"`
}

// Missing is a metric (or the prefix of several) that was asked for and
// could not be measured, with the reason.
type Missing struct {
	Metric  string `json:"metric"`
	Because string `json:"because"`
}

// Warning is a doubt about the numbers whose names begin with Metric.
// An empty Metric concerns all of the trial.
type Warning struct {
	Metric  string `json:"metric,omitempty"`
	Message string `json:"message"`
}

// Histogram is an HDR histogram of one distribution in nanoseconds.
type Histogram struct {
	// Metric is the dotted name without a percentile: "path", "connect",
	// "connect.syscall", "connect.lag", "http.keepalive", "http.new", ...
	Metric string `json:"metric"`
	// Class tells apart the targets: "first", "middle", "last" are Services
	// at these positions in the proxy's rules, "all", the headline, the
	// rest, "d01".."d10" are tenths of the rule order, "direct" is a pod IP
	// without a Service.
	Class string `json:"class"`
	// HDR is the histogram in HdrHistogram's V2 compressed base64 encoding.
	HDR string `json:"hdr"`
	// Count is the number of recorded values.
	Count int64 `json:"count"`
	// Censored counts attempts that timed out: they lasted longer than any
	// value in the histogram that the time-out allowed.
	Censored int64 `json:"censored,omitempty"`
	// Errors counts attempts that failed otherwise, by kind ("refused",
	// "reset", "wrong-backend", ...).
	Errors map[string]int64 `json:"errors,omitempty"`
}

// Series is a metric over time during one phase.
type Series struct {
	Metric string `json:"metric"`
	Phase  string `json:"phase"`
	// Start is the beginning of the first bin in ns of CLOCK_MONOTONIC.
	Start int64 `json:"start"`
	// Width is the length of a bin in ns.
	Width int64 `json:"width"`
	Bins  []Bin `json:"bins"`
}

// Bin is one interval of a Series. Latencies are in ns; 0 with Count 0.
type Bin struct {
	Count  int64 `json:"n"`
	Errors int64 `json:"err,omitempty"`
	P50    int64 `json:"p50"`
	P99    int64 `json:"p99"`
	Max    int64 `json:"max"`
}

// The values of Change.Unseen.
const (
	// UnseenNotWatched means that traffic did not watch for it.
	UnseenNotWatched = "not watched"
	// UnseenOvertaken means that the next change of the same Service was written
	// before traffic had obeyed it: all that is known is that it took longer.
	UnseenOvertaken = "overtaken"
	// UnseenNotSent means that it was not written, because one before it failed.
	UnseenNotSent = "not sent"
	// UnseenSilent means that traffic should notice nothing of it.
	UnseenSilent = "nothing to see"
	// UnseenMoot means that it undid what had not been done yet.
	UnseenMoot = "moot"
)

// The values of Change.Only.
const (
	OnlyNew = "new"
	OnlyOld = "old"
)

// Change is one API write and what traffic saw of it. Times are nanoseconds
// of CLOCK_MONOTONIC; 0 means that it did not happen before GaveUp.
type Change struct {
	ID      int    `json:"id"`
	Kind    string `json:"kind"`
	Service string `json:"service"`
	// Rate is how many changes a second there were, where that changed.
	Rate float64 `json:"rate,omitempty"`
	// Only says that the change brings new endpoints ("new") or takes old ones
	// away ("old") alone; empty means both.
	Only string `json:"only,omitempty"`
	// Unseen says why the change is no sample although nothing went wrong, or a
	// lower bound alone; see UnseenNotWatched and others.
	Unseen string `json:"unseen,omitempty"`
	// Served says that connections to the Service should be answered before the
	// change, after it and in between.
	Served bool `json:"served,omitempty"`
	// Due is when the seeded schedule wanted the write.
	Due int64 `json:"due"`
	// Sent is when the write was sent; Acked when the API server answered.
	Sent  int64 `json:"sent"`
	Acked int64 `json:"acked"`
	// Programmed is when the kernel's tables were seen to lead to the new
	// endpoints alone; 0 where they cannot be looked up, or did not before
	// GaveUp.
	Programmed int64 `json:"programmed,omitempty"`
	// Ready is when the pod that comes was seen to be ready, Sliced when it was
	// seen in an EndpointSlice as that; Unready and Unsliced are when the pod that
	// goes was seen not to be any more. 0 where none comes or goes, and for changes
	// that write endpoints themselves.
	Ready    int64 `json:"ready,omitempty"`
	Sliced   int64 `json:"sliced,omitempty"`
	Unready  int64 `json:"unready,omitempty"`
	Unsliced int64 `json:"unsliced,omitempty"`
	// FirstNew is the start of the first new connection answered by a new
	// endpoint.
	FirstNew int64 `json:"firstNew,omitempty"`
	// LastOld is the start of the last new connection answered by a removed
	// endpoint; 0 with OldSettled means that none was after the write.
	LastOld int64 `json:"lastOld,omitempty"`
	// OldSettled is when it became certain that no more connections reach
	// removed endpoints; 0 means it did not before GaveUp (censored).
	OldSettled int64 `json:"oldSettled,omitempty"`
	// LastFailed is the start of the last connection after the write that got no
	// answer, or one of an endpoint that was neither old nor new.
	LastFailed int64 `json:"lastFailed,omitempty"`
	// GaveUp is when observation ended.
	GaveUp int64 `json:"gaveUp"`
	// Probes counts connections made to observe this change.
	Probes int64 `json:"probes"`
	// Errors counts probes that failed, by kind.
	Errors map[string]int64 `json:"errors,omitempty"`
	// Error says why the change is no measurement: because the write failed, or
	// because of what happened then.
	Error string `json:"error,omitempty"`
}
