package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// check reports what is wrong between fields. It expects a decoded scenario
// with its defaults, and leaves out what rests on a field that has a problem
// of its own, so that one mistake is reported once.
func (d *decoder) check(s *Scenario) {
	d.checkPoints(s)
	d.checkWindows(s)
	d.checkMeasure(s)
	d.checkWork(s)
	d.checkChurn(s)
	d.checkProtocol(s)
	d.checkModes(s)
	d.checkProxy(s)
}

// checkPoints reports points that are too big or occur twice.
func (d *decoder) checkPoints(s *Scenario) {
	if !d.sound("population") {
		return
	}
	first := map[Point]int{}
	for i, p := range s.ResolvedPoints() {
		services, servicesOK := d.axis(i, "services")
		endpoints, endpointsOK := d.axis(i, "endpoints")
		placement, placementOK := d.axis(i, "placement")
		batching, batchingOK := d.axis(i, "batching")
		if !servicesOK || !endpointsOK || !placementOK || !batchingOK || !d.sound(fmt.Sprintf("points[%d]", i)) {
			continue
		}
		if !d.checkNodePorts(s, p, cmp.Or(services, d.marks["population.ports"], d.marks["population.type"])) {
			continue
		}
		at := cmp.Or(services, endpoints, placement, batching)
		if at == nil { // everything is a default
			return
		}
		if p.Services*p.Endpoints > MaxTotalEndpoints {
			d.report(at.value, Problem{Path: at.path, Message: at.path + " makes too many endpoints",
				Found:    fmt.Sprintf("%d Services x %d endpoints = %d", p.Services, p.Endpoints, p.Services*p.Endpoints),
				Expected: fmt.Sprintf("at most %d in all", MaxTotalEndpoints)})
			continue
		}
		if before, again := first[p]; again {
			path := fmt.Sprintf("points[%d]", i)
			d.report(d.keyOf(path, at.value), Problem{Path: path, Message: path + " is the same as " + fmt.Sprintf("points[%d]", before),
				Found: p.String() + " twice", Expected: "each point once"})
			continue
		}
		first[p] = i
	}
}

// checkNodePorts reports that a point has more ports than there are node
// ports, where the last one at fault was written. It returns false if so.
func (d *decoder) checkNodePorts(s *Scenario, p Point, at *mark) bool {
	n := p.Services * s.Population.Ports
	if s.Population.Type != NodePort || n <= MaxNodePorts || !d.sound("population.ports", "population.type") {
		return true
	}
	d.report(at.value, Problem{Path: at.path, Message: at.path + " takes more node ports than there are",
		Found:    fmt.Sprintf("%d Services x %d = %d ports", p.Services, s.Population.Ports, n),
		Expected: fmt.Sprintf("at most %d, from %d to %d", MaxNodePorts, FirstNodePort, LastNodePort)})
	return false
}

// axis returns where the value that the point i has for a field was
// written, nil if it is a default, and whether it can be relied on.
func (d *decoder) axis(i int, name string) (*mark, bool) {
	if m := d.marks[fmt.Sprintf("points[%d].%s", i, name)]; m != nil {
		return m, !m.bad
	}
	population := "population." + name
	ok := d.sound(population, "points."+name)
	if m := d.marks[population]; m != nil && m.value != nil {
		return m, ok
	}
	return nil, ok
}

// checkMeasure reports instruments without their section, and sections
// without an instrument.
func (d *decoder) checkMeasure(s *Scenario) {
	if d.marks["measure"] == nil {
		return
	}
	for i, instrument := range s.Measure {
		path := fmt.Sprintf("measure[%d]", i)
		need, needs := sectionOf(instrument)
		parent, _, _ := strings.Cut(need.path, ".")
		if !needs || need.present(s) || !d.sound(path, parent, need.path) {
			continue
		}
		d.report(d.keyOf(path, nil), Problem{Path: path, Message: fmt.Sprintf("%s: instrument %s needs a section %s", path, instrument, need.path),
			Expected: fmt.Sprintf("%s in the file, or measure without %s", need.path, instrument)})
	}
	for _, sec := range sections() {
		used := slices.ContainsFunc(sec.users, s.Measures)
		if !sec.present(s) || used || !d.sound("measure", sec.path) {
			continue
		}
		d.report(d.keyOf(sec.path, nil), Problem{Path: sec.path, Message: sec.path + " is used by no instrument in measure",
			Expected: join(names(sec.users), ", ", " or ") + " in measure, or no " + sec.path})
	}
}

// checkWork reports traffic and churn that ends before it has begun.
func (d *decoder) checkWork(s *Scenario) {
	work := func(path string, rate float64, duration Duration, unit string) {
		at := path + ".duration"
		if !d.sound(path, path+".rate", at) || d.marks[at] == nil || rate*duration.Std().Seconds() >= 1 {
			return
		}
		d.report(d.marks[at].value, Problem{Path: at, Message: at + " is too short for a single " + unit,
			Found: fmt.Sprintf("%v at %v/s", duration, rate), Expected: "rate x duration of at least 1"})
	}
	if c := s.Traffic.Connect; c != nil {
		work("traffic.connect", float64(cmp.Or(c.Rate, leastChosen)), c.Duration, "connection")
	}
	if h := s.Traffic.HTTP; h != nil {
		work("traffic.http", float64(h.Rate), h.Duration, "request")
	}
	if c := s.Churn; c != nil && c.Rate > 0 {
		work("churn", c.Rate, c.Duration, "change")
	}
}

// leastChosen is the lowest rate of connections that a run chooses by itself.
const leastChosen = 200

// checkProtocol reports traffic that the protocol of the Services cannot carry.
func (d *decoder) checkProtocol(s *Scenario) {
	d.checkSockets(s)
	if s.Traffic.HTTP == nil || s.Population.Protocol == TCP || !d.sound("population", "population.protocol", "traffic") {
		return
	}
	d.report(d.keyOf("traffic.http", nil), Problem{Path: "traffic.http", Message: "traffic.http needs TCP",
		Found:    fmt.Sprintf("protocol %s in line %d", s.Population.Protocol, d.lineOf("population.protocol")),
		Expected: "protocol TCP, or no traffic.http"})
}

// checkSockets reports that more connections of UDP would be tried than the node can
// forget: from a port that it remembers comes no new connection.
func (d *decoder) checkSockets(s *Scenario) {
	if s.Population.Protocol != UDP || !d.sound("population", "population.protocol", "traffic", "measure") {
		return
	}
	found := fmt.Sprintf("protocol %s in line %d", s.Population.Protocol, d.lineOf("population.protocol"))
	if s.Measures(Saturation) {
		d.report(d.keyOf("measure", nil), Problem{Path: "measure", Message: "the instrument saturation needs TCP", Found: found, Expected: "protocol TCP, or measure without saturation"})
	}
	if c := s.Traffic.Connect; c != nil && c.Rate == 0 {
		d.report(d.keyOf("traffic.connect", nil), Problem{Path: "traffic.connect", Message: "traffic.connect needs a rate with UDP", Found: found, Expected: "traffic.connect.rate"})
	}
}

// checkModes reports a baseline that is not measured.
func (d *decoder) checkModes(s *Scenario) {
	if len(s.Modes) == 0 || d.marks["baseline"] == nil || slices.Contains(s.Modes, s.Baseline) || !d.sound("modes", "baseline") {
		return
	}
	d.report(d.marks["baseline"].value, Problem{Path: "baseline", Message: "baseline is not among modes",
		Found: string(s.Baseline), Expected: join(names(s.Modes), ", ", " or ")})
}

// checkProxy reports sync periods that kube-proxy would refuse, and a window
// that nobody would use.
func (d *decoder) checkProxy(s *Scenario) {
	if !d.sound("batching", "proxy", "proxy.minSyncPeriod", "proxy.syncPeriod") {
		return
	}
	written := d.marks["proxy.minSyncPeriod"]
	if written != nil && s.Batching != BatchingEqual {
		d.report(written.key, Problem{Path: written.path, Message: "proxy.minSyncPeriod is the window of batching: equal",
			Found:    fmt.Sprintf("batching: %s in line %d", s.Batching, d.lineOf("batching")),
			Expected: "batching: equal, or no proxy.minSyncPeriod"})
		return
	}
	// The longest default is that of iptables and nftables.
	shortest, longest := Duration(s.Settings().Window(DefaultMinSyncPeriod.Std())), *s.Proxy.SyncPeriod
	if shortest <= longest {
		return
	}
	at := cmp.Or(written, d.marks["proxy.syncPeriod"])
	p := Problem{Path: at.path, Message: "proxy.minSyncPeriod is longer than proxy.syncPeriod",
		Found: fmt.Sprintf("%v and %v", shortest, longest), Expected: "minSyncPeriod of at most syncPeriod"}
	if s.Batching != BatchingEqual {
		p.Message = "proxy.syncPeriod is shorter than the window that batching: defaults leaves to iptables and nftables"
		p.Found, p.Expected = longest.String(), fmt.Sprintf("at least %v", shortest)
	}
	d.report(at.value, p)
}

// checkWindows reports windows of points that kube-proxy would refuse.
func (d *decoder) checkWindows(s *Scenario) {
	if !d.sound("proxy", "proxy.syncPeriod") {
		return
	}
	for i, p := range s.Points {
		at, ok := d.axis(i, "batching")
		longest := *s.Proxy.SyncPeriod
		if period := p.Batching.period(); at != nil && ok && period > longest {
			d.report(at.value, Problem{Path: at.path, Message: at.path + " is longer than proxy.syncPeriod",
				Found: fmt.Sprintf("%v and %v", period, longest), Expected: "a window of at most syncPeriod"})
			return
		}
	}
}

// lineOf returns the line in which a field was written, 0 if it was not.
func (d *decoder) lineOf(path string) int {
	if n := d.keyOf(path, nil); n != nil {
		return n.Line
	}
	return 0
}
