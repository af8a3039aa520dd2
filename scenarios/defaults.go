package scenarios

import (
	"slices"
	"time"
)

// The values of fields that a scenario leaves out.
const (
	// DefaultServices is the number of Services.
	DefaultServices = 1000
	// DefaultEndpoints is the number of endpoints of each Service: two, so
	// that every Service has a choice of endpoints.
	DefaultEndpoints = 2
	// DefaultPorts is the number of ports of each Service.
	DefaultPorts = 1
	// DefaultProtocol is the protocol of every port.
	DefaultProtocol = TCP
	// DefaultType is the type of every Service.
	DefaultType = ClusterIP
	// DefaultBlocks is the number of blocks: enough for an interval of the
	// median ratio that means something (six is the least for 95%).
	DefaultBlocks = 10
	// DefaultSeed seeds everything that is drawn at random.
	DefaultSeed uint64 = 1
	// DefaultBaseline is the mode that ratios are relative to, if it is
	// among the scenario's modes.
	DefaultBaseline = IPTables

	// DefaultConnectWarmup precedes the counted connections.
	DefaultConnectWarmup = Duration(time.Second)
	// DefaultConnectTimeout is when a connection attempt is given up: the
	// first SYN is sent again after a second, so a lost one is censored.
	DefaultConnectTimeout = Duration(time.Second)
	// DefaultHTTPWarmup precedes the counted requests.
	DefaultHTTPWarmup = Duration(500 * time.Millisecond)
	// DefaultHTTPTimeout is when a request is given up.
	DefaultHTTPTimeout = Duration(5 * time.Second)
	// DefaultChurnTimeout is how long traffic is watched for a change.
	DefaultChurnTimeout = Duration(20 * time.Second)
	// DefaultChurnGrace is how long a pod that a rolling update has replaced goes
	// on answering: as long as it sleeps in the preStop hooks that people write
	// for exactly this.
	DefaultChurnGrace = Duration(5 * time.Second)
	// DefaultChurnShare is the share of Services that are changed at once.
	DefaultChurnShare = 0.1

	// DefaultBatching gives every mode the same window.
	DefaultBatching = BatchingEqual
	// DefaultMinSyncPeriod is kube-proxy's own default for iptables and
	// nftables, given to every mode.
	DefaultMinSyncPeriod = Duration(time.Second)
	// DefaultScheduler is kube-proxy's own default in IPVS mode.
	DefaultScheduler = "rr"
	// DefaultDatapath needs nothing but packets that reach the node.
	DefaultDatapath = DatapathTC
	// DefaultSyncPeriod is kube-proxy's own default for every mode.
	DefaultSyncPeriod = Duration(30 * time.Second)
)

// Modes returns the modes a scenario may name, in the order of reports.
func Modes() []Mode { return []Mode{IPTables, IPVS, NFTables, EBPF} }

// Instruments returns every instrument, in the order of reports.
func Instruments() []Instrument {
	return []Instrument{Path, Connect, Saturation, HTTP, Programming, ColdStart, Restart, ProxyCost}
}

// ConnectionKinds returns the kinds of HTTP connections, in the order in
// which they are measured by default.
func ConnectionKinds() []ConnectionKind { return []ConnectionKind{KeepAlive, NewConnection} }

// Protocols returns the protocols that Services may have.
func Protocols() []Protocol { return []Protocol{TCP, UDP} }

// ServiceTypes returns the types that Services may have.
func ServiceTypes() []ServiceType { return []ServiceType{ClusterIP, NodePort} }

// Placements returns every place that endpoints may have.
func Placements() []Placement { return []Placement{CrossNode, SameNode} }

// Batchings returns every kind of batching.
func Batchings() []Batching { return []Batching{BatchingEqual, BatchingDefaults, BatchingNone} }

// Schedulers returns the schedulers of IPVS in Linux. kube-proxy has no list of
// its own: it tries the one it is given, which the kernel may lack.
func Schedulers() []string {
	return []string{"rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos"}
}

// Datapaths returns every datapath of the mode ebpf.
func Datapaths() []Datapath { return []Datapath{DatapathTC, DatapathSocket} }

// Default fills every field that s leaves out, except Modes, which depend on
// the machine, and Proxy.MinSyncPeriod unless batching is equal. Points keep
// their zero fields: see ResolvedPoints. Default does not check anything, and
// doing it again changes nothing.
func (s *Scenario) Default() {
	setDefault(&s.APIVersion, APIVersion)
	setDefault(&s.Kind, Kind)
	s.Population.setDefaults()
	if c := s.Traffic.Connect; c != nil {
		setDefault(&c.Warmup, DefaultConnectWarmup)
		setDefault(&c.Timeout, DefaultConnectTimeout)
	}
	if h := s.Traffic.HTTP; h != nil {
		setDefault(&h.Warmup, DefaultHTTPWarmup)
		setDefault(&h.Timeout, DefaultHTTPTimeout)
		if len(h.Connections) == 0 {
			h.Connections = ConnectionKinds()
		}
	}
	if c := s.Churn; c != nil {
		c.setDefaults()
	}
	if len(s.Measure) == 0 {
		s.Measure = s.possible()
	}
	s.Validity.setDefaults()
	setDefault(&s.Baseline, defaultBaseline(s.Modes))
	setDefault(&s.Blocks, DefaultBlocks)
	setDefault(&s.Seed, DefaultSeed)
	setDefault(&s.Batching, DefaultBatching)
	setDefault(&s.IPVS.Scheduler, DefaultScheduler)
	setDefault(&s.EBPF.Datapath, DefaultDatapath)
	// With any other batching it would be a mistake to set it.
	if s.Proxy.MinSyncPeriod == nil && s.Batching == BatchingEqual {
		s.Proxy.MinSyncPeriod = new(DefaultMinSyncPeriod)
	}
	if s.Proxy.SyncPeriod == nil {
		s.Proxy.SyncPeriod = new(DefaultSyncPeriod)
	}
}

func (p *Population) setDefaults() {
	setDefault(&p.Services, DefaultServices)
	setDefault(&p.Endpoints, DefaultEndpoints)
	setDefault(&p.Ports, DefaultPorts)
	setDefault(&p.Protocol, DefaultProtocol)
	setDefault(&p.Type, DefaultType)
}

// setDefault gives *field the value of def if it is zero.
func setDefault[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

// defaultBaseline is DefaultBaseline unless modes leave it out.
func defaultBaseline(modes []Mode) Mode {
	if len(modes) == 0 || slices.Contains(modes, DefaultBaseline) {
		return DefaultBaseline
	}
	return modes[0]
}

// possible returns the instruments whose sections s has.
func (s *Scenario) possible() []Instrument {
	return slices.DeleteFunc(Instruments(), func(i Instrument) bool {
		need, needs := sectionOf(i)
		return i == Restart || i == Saturation || needs && !need.present(s)
	})
}

// Measures reports whether the scenario uses the instrument i: it is listed
// in Measure or, where Measure is empty, has the section it needs.
func (s *Scenario) Measures(i Instrument) bool {
	if len(s.Measure) == 0 {
		return slices.Contains(s.possible(), i)
	}
	return slices.Contains(s.Measure, i)
}

// section is a part of a scenario that exists for certain instruments.
type section struct {
	path    string
	users   []Instrument
	present func(*Scenario) bool
}

func sections() []section {
	return []section{
		{"traffic.connect", []Instrument{Path, Connect}, func(s *Scenario) bool { return s.Traffic.Connect != nil }},
		{"traffic.http", []Instrument{HTTP}, func(s *Scenario) bool { return s.Traffic.HTTP != nil }},
		{"churn", []Instrument{Programming}, func(s *Scenario) bool { return s.Churn != nil }},
	}
}

// sectionOf returns the section that the instrument i needs, if any.
func sectionOf(i Instrument) (section, bool) {
	for _, sec := range sections() {
		if slices.Contains(sec.users, i) {
			return sec, true
		}
	}
	return section{}, false
}
