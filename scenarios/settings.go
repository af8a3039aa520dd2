package scenarios

import (
	"cmp"
	"slices"
	"time"
)

// Batching says how long a Service implementation may gather changes before
// it programs them.
type Batching string

// The kinds of batching.
const (
	// BatchingEqual gives every mode the window Proxy.MinSyncPeriod.
	BatchingEqual Batching = "equal"
	// BatchingDefaults leaves every mode the window of its own project:
	// kube-proxy's 1s for iptables and nftables and none for IPVS, Cilium's
	// 500ms.
	BatchingDefaults Batching = "defaults"
	// BatchingNone lets no mode wait.
	BatchingNone Batching = "none"
)

// Window is the batching of a point: "defaults", "none", or the window that
// every mode gets, such as "10s". It is empty where the scenario says it.
type Window string

// Windows are those that are no duration.
func Windows() []Window { return []Window{Window(BatchingDefaults), Window(BatchingNone)} }

// apply returns what a scenario is set up with at a point with this window, from
// what it is set up with elsewhere.
func (w Window) apply(b Batching, period *Duration) (Batching, *Duration) {
	if w == "" {
		return b, period
	}
	if slices.Contains(Windows(), w) {
		return Batching(w), nil
	}
	return BatchingEqual, new(w.period())
}

// period is the window of one that is a duration, 0 of the others.
func (w Window) period() Duration {
	var d Duration
	if d.UnmarshalText([]byte(w)) != nil {
		return 0
	}
	return d
}

// IPVSSettings are what only the mode ipvs has.
type IPVSSettings struct {
	// Scheduler is the kernel's way of choosing an endpoint, such as rr.
	Scheduler string `yaml:"scheduler,omitempty" json:"scheduler,omitempty"`
	// StrictARP keeps the node from answering ARP requests for cluster IPs.
	StrictARP bool `yaml:"strictARP,omitempty" json:"strictARP,omitempty"`
}

// EBPFSettings are what only the mode ebpf has.
type EBPFSettings struct {
	// Datapath is where Cilium translates.
	Datapath Datapath `yaml:"datapath,omitempty" json:"datapath,omitempty"`
}

// Datapath is a place at which Cilium's BPF programs translate the address of
// a Service.
type Datapath string

// The datapaths.
const (
	// DatapathTC translates packets that reach the node through a device.
	DatapathTC Datapath = "tc"
	// DatapathSocket translates inside connect(), as for pods on a node of
	// Cilium.
	DatapathSocket Datapath = "socket"
)

// Settings are how the Service implementation is set up: what every mode gets
// alike, and what only some have.
type Settings struct {
	Proxy    Proxy        `json:"proxy"`
	Batching Batching     `json:"batching"`
	IPVS     IPVSSettings `json:"ipvs"`
	EBPF     EBPFSettings `json:"ebpf"`
}

// Settings returns the settings of the scenario's Service implementations.
func (s *Scenario) Settings() Settings {
	return Settings{Proxy: s.Proxy, Batching: s.Batching, IPVS: s.IPVS, EBPF: s.EBPF}
}

// Variant names what a mode is set up as, where the scenario chooses between
// things that must not be taken for each other: the datapath of ebpf, and the
// scheduler of ipvs where it is not the default. It is empty elsewhere.
func (s Settings) Variant(m Mode) string {
	switch m {
	case EBPF:
		return string(cmp.Or(s.EBPF.Datapath, DefaultDatapath))
	case IPVS:
		if scheduler := cmp.Or(s.IPVS.Scheduler, DefaultScheduler); scheduler != DefaultScheduler {
			return scheduler
		}
	}
	return ""
}

// Window is how long a mode whose project has the default def may gather
// changes.
func (s Settings) Window(def time.Duration) time.Duration {
	switch s.Batching {
	case BatchingDefaults:
		return def
	case BatchingNone:
		return 0
	}
	if s.Proxy.MinSyncPeriod == nil {
		return DefaultMinSyncPeriod.Std()
	}
	return s.Proxy.MinSyncPeriod.Std()
}
