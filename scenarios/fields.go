package scenarios

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// field is what people need to know of one field of a scenario file and what
// its value may be. The decoder, the JSON Schema and the reference page are
// all made from the same table.
type field struct {
	// path is the field's place; "[]" stands for the items of a list.
	path string
	// about explains the field.
	about string
	// def is the default as YAML. A default that depends on other fields is
	// in words, in defNote.
	def     string
	defNote string
	// min and max limit numbers, and durations in seconds. above excludes
	// min itself; a max of 0 is no limit.
	min, max float64
	above    bool
	// enum lists the values allowed.
	enum []string
	// pattern and format limit text: a regular expression, and the same in
	// words. maxLen is in characters.
	pattern *regexp.Regexp
	format  string
	maxLen  int
	// wrong replaces the message for a value that is not allowed.
	wrong string
	// maxItems limits lists.
	maxItems int
}

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	// windowPattern lets no more than an hour through.
	windowPattern = regexp.MustCompile(`^(defaults|none|0s|[0-9]{1,5}ms|[0-9]{1,3}(\.[0-9]{1,3})?s|[0-9]{1,2}m)$`)
	linePattern   = regexp.MustCompile(`^[^\r\n]*[^\s][^\r\n]*$`)
)

// fields returns the table of every field, in the order of the reference.
func fields() []field {
	return slices.Concat(headFields(), trafficFields(), churnFields(), runFields(), validityFields())
}

func headFields() []field {
	services := field{min: 1, max: MaxServices}
	endpoints := field{min: 1, max: MaxEndpoints}
	placement := field{enum: names(Placements()), wrong: "is not a known placement"}
	window := field{pattern: windowPattern, format: "defaults, none, or a duration of at most 1h, such as 500ms or 10s"}
	placed := placement
	placed.defNote = "cross-node in kind clusters of two nodes or more, else same-node"
	return []field{
		{path: "apiVersion", about: "The version of the file format.", enum: []string{APIVersion},
			wrong: "is not a version that this svcbench reads"},
		{path: "kind", about: "What the file describes.", enum: []string{Kind}, wrong: "is not a kind that svcbench reads"},
		{path: "name", about: "Identity of the scenario in plans, run directories and reports.", pattern: namePattern,
			maxLen: MaxName, format: fmt.Sprintf("lower case letters, digits and inner dashes, at most %d characters", MaxName)},
		{path: "title", about: "One line for lists and headings.", pattern: linePattern, maxLen: MaxTitle,
			format: fmt.Sprintf("one line of text, at most %d characters", MaxTitle)},
		{path: "description", about: "The question that the scenario answers."},

		{path: "population", about: "What exists in the cluster before anything is measured."},
		services.as("population.services", "Number of Services.", DefaultServices),
		endpoints.as("population.endpoints", "Number of ready endpoints of each Service.", DefaultEndpoints),
		field{min: 1, max: MaxPorts}.as("population.ports", "Number of ports of each Service.", DefaultPorts),
		field{enum: names(Protocols()), wrong: "is not a protocol that svcbench can measure"}.
			as("population.protocol", "Protocol of every port. With UDP there is no traffic.http.", DefaultProtocol),
		field{enum: names(ServiceTypes()), wrong: "is not a type that svcbench can measure"}.
			as("population.type", "Type of every Service, and so where traffic goes: to the Service's cluster IP, or to the node's own address and a node port. "+
				fmt.Sprintf("There are %d node ports, of which each port of each Service takes one.", MaxNodePorts), DefaultType),
		placed.as("population.placement", "Where endpoints are, seen from the client. Local clusters have one node.", nil),

		{path: "points", about: "The scale axis: a list of points, or a mapping of lists whose cross product is taken, services outermost. " +
			"A field that is left out is the population's.", defNote: "one point: the population", maxItems: MaxPoints},
		{path: "points[]", about: "One point of the scale axis."},
		services.as("points[].services", "Number of Services at this point.", nil),
		endpoints.as("points[].endpoints", "Endpoints of each Service at this point.", nil),
		placement.as("points[].placement", "Where endpoints are at this point.", nil),
		{path: "points.services", about: "Numbers of Services, the outer axis.", maxItems: MaxPoints},
		services.as("points.services[]", "", nil),
		{path: "points.endpoints", about: "Numbers of endpoints of each Service, the next axis.", maxItems: MaxPoints},
		endpoints.as("points.endpoints[]", "", nil),
		{path: "points.placement", about: "Where endpoints are, the inner axis: with --cluster kind, both can be compared.", maxItems: MaxPoints},
		placement.as("points.placement[]", "", nil),
		window.as("points[].batching", "How long modes may gather changes at this point: defaults or none, see batching, or a window for every mode.", nil),
		{path: "points.batching", about: "Such windows, the innermost axis.", maxItems: MaxPoints},
		window.as("points.batching[]", "", nil),
	}
}

func trafficFields() []field {
	rate := field{min: 1, max: MaxRate}
	duration := field{max: MaxDuration.Std().Seconds(), above: true}
	return []field{
		{path: "traffic", about: "The load during the measurement."},
		{path: "traffic.connect", about: "Opens new TCP connections at a fixed rate and closes each as soon as it is established. " +
			"Used by the instruments connect and path."},
		rate.as("traffic.connect.rate", "New connections per second.", nil).
			with("half or less of what the weakest mode keeps up with at the largest point, which is tried before the first trial: 1, 2 or 5 times a power of ten"),
		duration.as("traffic.connect.warmup", "Load before the duration that is not counted.", DefaultConnectWarmup),
		duration.as("traffic.connect.duration", "How long connections are counted.", nil),
		duration.as("traffic.connect.timeout", "A connection that takes longer is given up and counted as censored.", DefaultConnectTimeout),
		{path: "traffic.http", about: "Sends HTTP requests at a fixed rate, once for each kind of connection. Used by the instrument http."},
		rate.as("traffic.http.rate", "Requests per second.", nil),
		duration.as("traffic.http.warmup", "Load before the duration that is not counted.", DefaultHTTPWarmup),
		duration.as("traffic.http.duration", "How long requests are counted, for each kind of connection.", nil),
		duration.as("traffic.http.timeout", "A request that takes longer is given up and counted as censored.", DefaultHTTPTimeout),
		{path: "traffic.http.connections", about: "Kinds of connections measured, one after the other: kept alive between requests, or a new one for each.",
			def: "[" + join(names(ConnectionKinds()), ", ", ", ") + "]"},
		{path: "traffic.http.connections[]", enum: names(ConnectionKinds()), wrong: "is not a known kind of connection"},
	}
}

func churnFields() []field {
	rate := field{max: MaxRate, above: true}
	share := field{max: 1, above: true}
	duration := field{max: MaxDuration.Std().Seconds(), above: true}
	return []field{
		{path: "churn", about: "A stream of changes to the population, each at its time whatever became of those before. Used by the instrument programming."},
		{path: "churn.kinds", about: "What changes; several kinds take turns."},
		{path: "churn.kinds[]", enum: names(ChurnKinds()), wrong: "is not a known kind of churn"},
		rate.as("churn.rate", "Changes per second; may be a fraction. scale-storm and node-loss change many Services each time.", nil),
		{path: "churn.rates", about: "Rates that are tried one after the other instead, each for the duration: where changes begin to wait for one another, the mode is at its limit.",
			maxItems: MaxRates},
		rate.as("churn.rates[]", "", nil),
		duration.as("churn.duration", "How long changes are made, at each rate.", nil),
		duration.as("churn.timeout", "A change that traffic has not seen by then is counted as censored.", DefaultChurnTimeout),
		field{max: 1}.as("churn.watched", "Share of the changes that traffic watches for; the others are made all the same.", nil).
			with("as many as connections at every millisecond can watch: all up to 4 changes a second"),
		duration.as("churn.grace", "With rolling-update, how long pods answer after they were replaced.", DefaultChurnGrace),
		share.as("churn.share", "With scale-storm and node-loss, the share of Services that are changed at once.", DefaultChurnShare),
		field{max: MaxFlows}.as("churn.flows", "Number of connections to changing Services that are kept open, and asked on all the time: they may go on leading to endpoints that were removed.", 0),
		{path: "churn.freeze", about: "Stops the proxy in the middle of the churn, as a fault: it gets no processor for a while, and then goes on."},
		duration.as("churn.freeze.after", "Time from the beginning of the churn.", nil),
		duration.as("churn.freeze.duration", "How long it gets none.", nil),
	}
}

func runFields() []field {
	period := field{max: MaxDuration.Std().Seconds()}
	positive := field{max: MaxDuration.Std().Seconds(), above: true}
	return []field{
		{path: "measure", about: "Instruments to use.",
			defNote: "every instrument whose section exists, with coldstart and proxy"},
		{path: "measure[]", enum: names(Instruments()), wrong: "is not a known instrument"},
		{path: "modes", about: "Modes to measure, unless the command line says otherwise.", defNote: "every mode that this machine can run"},
		{path: "modes[]", enum: names(Modes()), wrong: "is not a known mode"},
		{path: "baseline", about: "The mode that every ratio is relative to. It must be one of the modes, if they are listed.",
			defNote: string(DefaultBaseline) + ", or the first of modes if it is not among them", enum: names(Modes()), wrong: "is not a known mode"},
		field{min: 1, max: MaxBlocks}.as("blocks", "Number of repetitions; in each block every mode is measured once.", DefaultBlocks),
		field{}.as("control", "Measures the baseline a second time in each block, as an A/A control: what differs then is noise, and the report says how much.", false),
		field{min: 1}.as("seed", "Decides the order of trials, the sampled Services and the targets of churn.", DefaultSeed),

		field{enum: names(Batchings()), wrong: "is not a known kind of batching"}.
			as("batching", "How long a mode may gather changes before it programs them: equal gives every mode the window proxy.minSyncPeriod, "+
				"defaults leaves each the one of its own project, none lets no mode wait.", DefaultBatching),
		{path: "proxy", about: "Settings that every mode gets alike; where a mode does not know one, the report says so."},
		period.as("proxy.minSyncPeriod", "Shortest time between two syncs of the rules; not longer than syncPeriod. Only with batching: equal, whose window it is.", DefaultMinSyncPeriod),
		positive.as("proxy.syncPeriod", "Longest time between two syncs of the rules.", DefaultSyncPeriod),
		field{max: MaxVerbosity}.as("proxy.verbosity", "Log level of the proxy (-v). Levels above 2 cost CPU.", 0),

		{path: "ipvs", about: "Settings of the mode ipvs alone."},
		field{enum: Schedulers(), wrong: "is not a scheduler of IPVS"}.
			as("ipvs.scheduler", "The kernel's way of choosing an endpoint for a new connection. A kernel may lack some.", DefaultScheduler),
		field{}.as("ipvs.strictARP", "Keeps the node from answering ARP requests for cluster IPs.", false),
		{path: "ebpf", about: "Settings of the mode ebpf alone."},
		field{enum: names(Datapaths()), wrong: "is not a known datapath"}.
			as("ebpf.datapath", "Where the address of a Service is translated: tc, in packets that reach the node through a device; "+
				"or socket, inside connect() and sendmsg(), as for pods on a node of Cilium.", DefaultDatapath),
	}
}

// as returns f under a path, with an explanation and a default.
func (f field) as(path, about string, def any) field {
	f.path, f.about = path, about
	if def != nil {
		f.def = fmt.Sprint(def)
	}
	return f
}

// with returns f with a default in words.
func (f field) with(defNote string) field {
	f.defNote = defNote
	return f
}

// names converts values of a string type to strings.
func names[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// join writes a list with another separator before its last item.
func join(items []string, sep, last string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], sep) + last + items[len(items)-1]
}

// anyIndex replaces the indices in a path by "[]", as in the table.
func anyIndex(path string) string { return indexPattern.ReplaceAllString(path, "[]") }

var indexPattern = regexp.MustCompile(`\[[0-9]+\]`)

var (
	durationType = reflect.TypeFor[Duration]()
	pointsType   = reflect.TypeFor[Points]()
)

// expected says in words what a field of type t may hold.
func (f field) expected(t reflect.Type) string {
	switch {
	case len(f.enum) > 0:
		return join(f.enum, ", ", " or ")
	case f.format != "":
		return f.format
	case t == durationType:
		return "a duration " + f.limits(func(v float64) string { return short(v) }) + ", such as 500ms or 10s"
	case t == pointsType:
		return "a list of points or a mapping of lists"
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch t.Kind() {
	case reflect.Int, reflect.Uint64:
		return "a whole number " + f.limits(number)
	case reflect.Float64:
		return "a number " + f.limits(number)
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "a mapping"
	default:
		return "text"
	}
}

// limits says in words which numbers are allowed.
func (f field) limits(text func(float64) string) string {
	switch {
	case f.above:
		return "above " + text(f.min) + ", at most " + text(f.max)
	case f.max == 0:
		return "of at least " + text(f.min)
	default:
		return "from " + text(f.min) + " to " + text(f.max)
	}
}

// within reports whether v is inside the limits. NaN never is.
func (f field) within(v float64) bool {
	low := v >= f.min
	if f.above {
		low = v > f.min
	}
	return low && (f.max == 0 || v <= f.max)
}

// short writes seconds without trailing zero units: "1h", not "1h0m0s".
func short(seconds float64) string {
	s := Duration(seconds * 1e9).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
