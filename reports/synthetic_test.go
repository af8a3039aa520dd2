package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// synthetic makes runs with known differences between the modes, the same
// ones every time.
type synthetic struct {
	modes  []string
	points []int
	blocks int
	// samples is the number of connections of a trial.
	samples int
	// small leaves out classes, HTTP and series.
	small bool
	// variants are what modes are set up as.
	variants map[string]string
	// again makes another run of the same, slower one in which changes take so
	// much longer.
	again  uint64
	slower float64
}

const (
	microsecond = 1e3
	millisecond = 1e6
)

// run makes the data of a finished run.
func (s synthetic) run(t *testing.T) *results.Data {
	t.Helper()
	start := time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)
	data := &results.Data{
		Run: results.Run{
			Format: results.FormatVersion, ID: "20261127-050000-quick", Started: start,
			Command: "svcbench run quick --seed 7", Seed: 7, Provider: "local",
			Scenarios: []results.ScenarioInfo{{
				Name: "quick", Title: "A first look at three cluster sizes", Baseline: "iptables", Blocks: s.blocks,
				Description: "How do new connections and endpoint changes fare in a small cluster and a large one?",
				YAML:        "apiVersion: svcbench/v1alpha1\nkind: Scenario\nname: quick\n",
			}},
		},
		Environment: results.Environment{
			Kernel: "6.12.30", Arch: "amd64", OS: "Debian GNU/Linux 12", CPUModel: "Example CPU @ 2.5 GHz", CPUs: 2,
			MemoryBytes: 8 << 30, Virtualized: "kvm", ClockSource: "kvm-clock", Svcbench: "v0.1.0", GitCommit: "0123abc",
			Versions: map[string]string{"kube-proxy": "v1.37.2", "kube-apiserver": "v1.37.2", "etcd": "v3.7.3", "nft": "1.0.6"},
			Sysctls:  map[string]string{"net.netfilter.nf_conntrack_max": "262144", "net.ipv4.ip_forward": "1"},
			Facts:    map[string]string{"masquerade": "client traffic is masqueraded"},
		},
	}
	for _, m := range s.modes {
		data.Run.Modes = append(data.Run.Modes, results.ModeStatus{Mode: m, Included: true})
	}
	for _, n := range s.points {
		data.Run.Scenarios[0].Points = append(data.Run.Scenarios[0].Points, results.Point{Services: n, Endpoints: 2})
	}
	order := 0
	for block := 1; block <= s.blocks; block++ {
		for _, n := range s.points {
			for _, mode := range s.modes {
				order++
				trial := s.trial(t, mode, n, block)
				trial.Order = order
				trial.Started = start.Add(time.Duration(order) * 20 * time.Second)
				trial.Finished = trial.Started.Add(19 * time.Second)
				data.Trials = append(data.Trials, trial)
				data.Run.Plan = append(data.Run.Plan, results.PlannedTrial{
					ID: trial.ID, Scenario: "quick", Point: trial.Point, Mode: mode, Variant: trial.Variant, Block: block, Order: order,
				})
			}
		}
	}
	data.Run.Finished = start.Add(time.Hour)
	return data
}

// maker draws the samples of one trial.
type maker struct {
	*rand.Rand
	t *testing.T
	// speed is what all instruments of a block share.
	speed float64
	trial *results.Trial
}

func (s synthetic) trial(t *testing.T, mode string, services, block int) *results.Trial {
	shared := rand.New(rand.NewPCG(uint64(services)+1000*s.again, uint64(block)))
	m := &maker{
		Rand: rand.New(rand.NewPCG(uint64(services)*31+uint64(block), uint64(len(mode))*7+uint64(mode[0])+1000*s.again)), t: t,
		trial: &results.Trial{
			ID: fmt.Sprintf("b%02d-%d-%s", block, services, mode), Scenario: "quick", Mode: mode, Variant: s.variants[mode], Provider: "local",
			Correct: correct(mode),
			Point:   results.Point{Services: services, Endpoints: 2}, Block: block, Status: results.Complete,
			Notes: []string{fmt.Sprintf("%d ns of each sample are the probe's own", 30+block)},
			ProxyConfig: "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: " + mode +
				fmt.Sprintf("\nkubeconfig: /tmp/svcbench-%d/kubeconfig\n", block),
		},
	}
	if m.trial.Variant != "" {
		m.trial.ID += "-" + m.trial.Variant
	}
	m.speed = math.Exp(0.05*shared.NormFloat64() + 0.02*m.NormFloat64())
	size := float64(services)
	path, sync, rules := 7*microsecond, 30*millisecond+size*2e3, 8*size
	if mode == "ebpf" {
		path, sync, rules = 5*microsecond, 520*millisecond, 3*size
		m.trial.Notes = append(m.trial.Notes, "Batching equal: the agent gathers changes for 1s (--lb-reflector-wait-time 1s).")
		m.trial.Scalars = append(m.trial.Scalars, results.Scalar{Metric: results.Rules + "memory", Unit: "bytes", Value: 9e6})
	}
	if mode == "iptables" {
		path, sync, rules = 8*microsecond+size*11.5, 40*millisecond+size*9e3, 12*size
	}
	m.histogram(results.Path, results.ClassAll, path, 0.5, s.samples, 0)
	m.histogram(results.Connect, results.ClassAll, 45*microsecond+path, 0.4, s.samples, 0)
	m.changes(15, sync*(1+s.slower))
	m.scalar(results.ColdStart, "s", 0.3+size*2e-4+sync/1e9)
	m.scalar(results.ProxyCPU, "s", 0.5+size*4e-4+sync/1e9*8)
	m.scalar(results.ProxyRSS, "bytes", 60e6+size*9e3)
	m.trial.Scalars = append(m.trial.Scalars, results.Scalar{Metric: results.Rules + "count", Unit: "count", Value: rules})
	if s.small {
		return m.trial
	}
	m.more(s, path, size)
	return m.trial
}

// more adds what the small runs leave out.
func (m *maker) more(s synthetic, path, size float64) {
	few := s.samples / 3
	for i := 1; i <= 10; i++ {
		at := path
		if m.trial.Mode == "iptables" {
			at = 8*microsecond + size*23*(float64(i)-0.5)/10
		}
		m.histogram(results.Path, fmt.Sprintf("d%02d", i), at, 0.3, few, 0)
		if class, ok := map[int]string{1: results.ClassFirst, 5: results.ClassMiddle, 10: results.ClassLast}[i]; ok {
			m.histogram(results.Path, class, at, 0.3, few, 0)
			m.histogram(results.Connect, class, 45*microsecond+at, 0.3, few, 0)
		}
	}
	m.histogram(results.Connect, results.ClassDirect, 42*microsecond, 0.4, few, 0)
	m.histogram(results.ConnectSyscall, results.ClassAll, 20*microsecond+path, 0.4, s.samples, 0)
	m.histogram(results.ConnectLag, results.ClassAll, 12*microsecond, 0.5, s.samples, 0)
	m.histogram(results.ConnectChurn, results.ClassAll, 70*microsecond+path, 0.6, s.samples, 2)
	m.histogram(results.HTTPKeepAlive, results.ClassAll, 210*microsecond, 0.4, s.samples, 0)
	m.histogram(results.HTTPKeepAlive+results.Lag, results.ClassAll, 60*microsecond, 0.5, s.samples, 0)
	m.histogram(results.HTTPNew, results.ClassAll, 330*microsecond+path, 0.4, s.samples, 0)
	m.histogram(results.HTTPNew+results.Lag, results.ClassAll, 60*microsecond, 0.5, s.samples, 0)
	m.scalar(results.ProxySyncFirst, "s", 0.1+size*1e-4)
	m.scalar(results.ProxyCPUChurn, "s", 0.2+size*1e-4)
	m.scalar(results.PopulateRate, "count/s", 4000)
	m.series(path)
}

// correct is the record of Services that did what they should.
func correct(mode string) *results.Correct {
	c := &results.Correct{
		Services: 23, Connections: 989, Endpoints: 16, EmptyServices: 2, Empty: map[string]int64{"refused": 5, "timeout": 1},
		Balance: &results.Balance{Connections: 989, Degrees: 23, ChiSquare: 20, P: 0.64, Least: 0.03},
	}
	if mode == "ebpf" {
		c.Empty = map[string]int64{"timeout": 6}
	}
	return c
}

func (m *maker) draw(median, sigma float64) int64 {
	return int64(median * m.speed * math.Exp(sigma*m.NormFloat64()))
}

func (m *maker) histogram(metric, class string, median, sigma float64, n int, censored int64) {
	h := stats.NewHistogram()
	for range n {
		h.Record(m.draw(median, sigma))
	}
	encoded, err := h.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	m.trial.Histograms = append(m.trial.Histograms, results.Histogram{Metric: metric, Class: class, HDR: encoded, Count: int64(n), Censored: censored})
}

func (m *maker) scalar(metric, unit string, value float64) {
	m.trial.Scalars = append(m.trial.Scalars, results.Scalar{Metric: metric, Unit: unit, Value: value * m.speed})
}

// changes adds programming latencies around median; every fortieth change is
// never seen by traffic.
func (m *maker) changes(n int, median float64) {
	for i := range n {
		sent := int64(1e9 + float64(i)*333*millisecond)
		c := results.Change{ID: i, Kind: "replace-endpoints", Due: sent, Sent: sent, Acked: sent + 2*millisecond, GaveUp: sent + 20e9}
		if m.IntN(40) > 0 {
			c.FirstNew = sent + m.draw(median, 0.7)
			c.LastOld = c.FirstNew - millisecond
			c.OldSettled = c.FirstNew + 100*millisecond
			c.GaveUp = c.OldSettled
		}
		m.trial.Changes = append(m.trial.Changes, c)
	}
}

func (m *maker) series(path float64) {
	s := results.Series{Metric: results.ConnectChurn, Phase: "churn", Start: 1e9, Width: 50 * millisecond}
	for i := range 100 {
		stall := 1.0
		if i%7 == 0 {
			stall = 4
		}
		p50 := m.draw(70*microsecond+path, 0.05)
		s.Bins = append(s.Bins, results.Bin{Count: 50, P50: p50, P99: int64(float64(p50) * 2 * stall), Max: p50 * 9})
	}
	m.trial.Series = append(m.trial.Series, s)
}
