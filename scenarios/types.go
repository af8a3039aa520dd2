// Package scenarios holds what a user asks svcbench to measure: the YAML
// scenario files, their types, their strict loading and the built-in ones.
package scenarios

// APIVersion is the value of apiVersion in every scenario file.
const APIVersion = "svcbench/v1alpha1"

// Kind is the value of kind in every scenario file.
const Kind = "Scenario"

// Mode is a way of implementing Kubernetes Services, the thing under test.
type Mode string

// The modes svcbench knows by name. Whether one runs on this machine is
// answered by clusters/modes, by trying it.
const (
	IPTables Mode = "iptables"
	IPVS     Mode = "ipvs"
	NFTables Mode = "nftables"
	EBPF     Mode = "ebpf"
)

// Scenario is one YAML file: what is populated, what traffic and churn it
// gets and what is measured at each point of its scale axis.
type Scenario struct {
	APIVersion string `yaml:"apiVersion" json:"apiVersion"`
	Kind       string `yaml:"kind" json:"kind"`
	// Name is the identity of the scenario in plans, run directories and
	// reports: lower case letters, digits and dashes.
	Name string `yaml:"name" json:"name"`
	// Title is one line for lists and headings.
	Title string `yaml:"title" json:"title"`
	// Description says what question the scenario answers.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`

	Population Population `yaml:"population,omitempty" json:"population"`
	// Points is the scale axis. Empty means the population as it stands.
	Points Points `yaml:"points,omitempty" json:"points,omitempty"`

	Traffic Traffic `yaml:"traffic,omitempty" json:"traffic,omitempty"`
	// Churn is what changes while the cluster is measured; nil means nothing.
	Churn *Churn `yaml:"churn,omitempty" json:"churn,omitempty"`
	// Measure lists the instruments to use; empty means every instrument
	// whose section exists, with ColdStart and ProxyCost, without Restart
	// and Saturation.
	Measure []Instrument `yaml:"measure,omitempty" json:"measure,omitempty"`

	// Modes are measured unless the command line says otherwise; empty
	// means every mode that this machine can run.
	Modes []Mode `yaml:"modes,omitempty" json:"modes,omitempty"`
	// Baseline is the mode every ratio is relative to; see DefaultBaseline.
	Baseline Mode `yaml:"baseline,omitempty" json:"baseline,omitempty"`
	// Blocks is the number of repetitions; each block is every mode once.
	Blocks int `yaml:"blocks,omitempty" json:"blocks,omitempty"`
	// SLO is what numbers should be; a run that misses one ends with exit code 3.
	SLO []Objective `yaml:"slo,omitempty" json:"slo,omitempty"`
	// Validity are limits of what may happen beside the measurement.
	Validity Validity `yaml:"validity,omitempty" json:"validity"`
	// Control measures the baseline a second time in each block, as an A/A control.
	Control bool `yaml:"control,omitempty" json:"control,omitempty"`
	// Seed decides trial order, sampled Services and churn targets.
	Seed uint64 `yaml:"seed,omitempty" json:"seed,omitempty"`

	// Batching, Proxy, IPVS and EBPF set up the Service implementations.
	Batching Batching     `yaml:"batching,omitempty" json:"batching,omitempty"`
	Proxy    Proxy        `yaml:"proxy,omitempty" json:"proxy,omitempty"`
	IPVS     IPVSSettings `yaml:"ipvs,omitempty" json:"ipvs,omitempty"`
	EBPF     EBPFSettings `yaml:"ebpf,omitempty" json:"ebpf,omitempty"`
}

// Protocol is the transport protocol of the population's Services.
type Protocol string

// The protocols. HTTP traffic needs TCP.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// ServiceType is the type of the population's Services, which decides the
// addresses that they have and the one that traffic goes to.
type ServiceType string

// The types of Services.
const (
	// ClusterIP Services answer at an address of their own, at every port.
	ClusterIP ServiceType = "ClusterIP"
	// NodePort Services have such an address too, but traffic goes to the
	// node's own address, where every port of a Service has a node port.
	NodePort ServiceType = "NodePort"
)

// Population is what exists in the cluster before anything is measured.
type Population struct {
	// Services is the number of Services.
	Services int `yaml:"services,omitempty" json:"services,omitempty"`
	// Endpoints is the number of ready endpoints of each Service.
	Endpoints int `yaml:"endpoints,omitempty" json:"endpoints,omitempty"`
	// Ports is the number of ports of each Service.
	Ports int `yaml:"ports,omitempty" json:"ports,omitempty"`
	// Protocol is the protocol of every port.
	Protocol Protocol `yaml:"protocol,omitempty" json:"protocol,omitempty"`
	// Type is the type of every Service.
	Type ServiceType `yaml:"type,omitempty" json:"type,omitempty"`
	// Placement is where endpoints are; empty leaves it to the cluster.
	Placement Placement `yaml:"placement,omitempty" json:"placement,omitempty"`
}

// Placement says where endpoints are, seen from the client.
type Placement string

// The placements.
const (
	// SameNode has them on the node of the client.
	SameNode Placement = "same-node"
	// CrossNode has them on another node.
	CrossNode Placement = "cross-node"
)

// Point is one position on the scale axis. A zero field takes the value of
// the scenario's population, and an empty Window its batching.
type Point struct {
	Services  int       `yaml:"services,omitempty" json:"services,omitempty"`
	Endpoints int       `yaml:"endpoints,omitempty" json:"endpoints,omitempty"`
	Placement Placement `yaml:"placement,omitempty" json:"placement,omitempty"`
	Batching  Window    `yaml:"batching,omitempty" json:"batching,omitempty"`
}

// Points is the scale axis: in YAML either a list of points, or a mapping
// of lists (services, endpoints, placement, batching) whose cross product is
// taken in the order written, services outermost and batching innermost.
type Points []Point

// Traffic is the load during the measurement.
type Traffic struct {
	Connect *ConnectTraffic `yaml:"connect,omitempty" json:"connect,omitempty"`
	HTTP    *HTTPTraffic    `yaml:"http,omitempty" json:"http,omitempty"`
}

// ConnectTraffic opens new TCP connections, open loop, and closes each as
// soon as it is established.
type ConnectTraffic struct {
	// Rate is in new connections per second; 0 lets the run choose one that every
	// mode keeps up with.
	Rate int `yaml:"rate,omitempty" json:"rate,omitempty"`
	// Warmup precedes Duration and is not counted.
	Warmup   Duration `yaml:"warmup,omitempty" json:"warmup,omitempty"`
	Duration Duration `yaml:"duration" json:"duration"`
	// Timeout after which a connection attempt is a censored sample.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// HTTPTraffic sends HTTP requests, open loop, once for each kind of
// connection listed.
type HTTPTraffic struct {
	// Rate is in requests per second.
	Rate     int      `yaml:"rate" json:"rate"`
	Warmup   Duration `yaml:"warmup,omitempty" json:"warmup,omitempty"`
	Duration Duration `yaml:"duration" json:"duration"`
	Timeout  Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Connections lists the kinds measured, one after the other.
	Connections []ConnectionKind `yaml:"connections,omitempty" json:"connections,omitempty"`
}

// ConnectionKind says whether HTTP requests share connections.
type ConnectionKind string

// The kinds of HTTP connections.
const (
	// KeepAlive reuses connections between requests.
	KeepAlive ConnectionKind = "keep-alive"
	// NewConnection opens a connection for each request.
	NewConnection ConnectionKind = "new"
)

// Instrument names one thing svcbench can measure.
type Instrument string

// The instruments.
const (
	// Path is the time the first packet of a connection spends inside the node.
	Path Instrument = "path"
	// Connect is the latency of new TCP connections seen by a client.
	Connect Instrument = "connect"
	// HTTP is the latency of HTTP requests with and without keep-alive.
	HTTP Instrument = "http"
	// Saturation is the highest rate of new connections that a mode keeps up with.
	// It is measured only where it is asked for.
	Saturation Instrument = "saturation"
	// Programming is the time from an API write to traffic that obeys it.
	Programming Instrument = "programming"
	// ColdStart is the time from starting the proxy to verified convergence.
	ColdStart Instrument = "coldstart"
	// Restart is the time that a proxy needs to go on after it, or the API server,
	// was restarted, and what clients notice of that. It is measured only where
	// it is asked for.
	Restart Instrument = "restart"
	// ProxyCost is CPU, memory, kernel rules and the proxy's own sync metric.
	ProxyCost Instrument = "proxy"
)

// Proxy are the settings every mode gets alike; what a mode does not know
// is left out of its configuration and said so in the report.
type Proxy struct {
	// MinSyncPeriod is the shortest time between two syncs of the rules, the
	// window of BatchingEqual. nil means 1s, kube-proxy's default for
	// iptables and nftables, and is the only value with other batching.
	MinSyncPeriod *Duration `yaml:"minSyncPeriod,omitempty" json:"minSyncPeriod,omitempty"`
	// SyncPeriod is the longest time between two syncs; nil means 30s.
	SyncPeriod *Duration `yaml:"syncPeriod,omitempty" json:"syncPeriod,omitempty"`
	// Verbosity is the proxy's log level (-v). Levels above 2 cost CPU.
	Verbosity int `yaml:"verbosity,omitempty" json:"verbosity,omitempty"`
}
