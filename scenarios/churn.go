package scenarios

import (
	"fmt"
	"slices"
	"time"
)

// Churn is an open-loop stream of changes.
type Churn struct {
	// Kinds take turns.
	Kinds []ChurnKind `yaml:"kinds" json:"kinds"`
	// Rate is in changes per second; Rates are tried one after the other instead.
	Rate  float64   `yaml:"rate,omitempty" json:"rate,omitempty"`
	Rates []float64 `yaml:"rates,omitempty" json:"rates,omitempty"`
	// Duration is how long changes are made, at each rate.
	Duration Duration `yaml:"duration" json:"duration"`
	// Timeout after which a change that traffic has not seen is a censored
	// sample.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Watched is the share of changes that are watched; nil means as many as
	// can be.
	Watched *float64 `yaml:"watched,omitempty" json:"watched,omitempty"`
	// Grace is how long pods answer that RollingUpdate has replaced.
	Grace Duration `yaml:"grace,omitempty" json:"grace,omitempty"`
	// Share is the share of Services that ScaleStorm and NodeLoss change at once.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// Flows is how many connections to Services that change are kept open, to see
	// where they lead then.
	Flows int `yaml:"flows,omitempty" json:"flows,omitempty"`
	// Freeze is a fault in the middle of the churn; nil means none.
	Freeze *Freeze `yaml:"freeze,omitempty" json:"freeze,omitempty"`
}

// Freeze is a time in which the proxy gets no processor.
type Freeze struct {
	// After is counted from the beginning of the churn.
	After    Duration `yaml:"after" json:"after"`
	Duration Duration `yaml:"duration" json:"duration"`
}

// ChurnKind names one kind of change.
type ChurnKind string

// The kinds of changes to Services and endpoints without pods. Endpoints that come
// answer before the API write; those that go answer until traffic has left them,
// where nothing else is said.
const (
	// ReplaceEndpoints replaces every endpoint of a Service by new ones, as a
	// finished rolling update does.
	ReplaceEndpoints ChurnKind = "replace-endpoints"
	// ScaleEndpoints adds an endpoint to a Service and removes one, in turns.
	ScaleEndpoints ChurnKind = "scale-endpoints"
	// FlipEndpoints makes an endpoint of a Service not ready and ready again, in
	// turns.
	FlipEndpoints ChurnKind = "flip-endpoints"
	// ScaleToZero removes all endpoints of a Service and gives it as many new
	// ones, in turns.
	ScaleToZero ChurnKind = "scale-to-zero"
	// RecreateServices deletes a Service and creates it again, in turns.
	RecreateServices ChurnKind = "recreate-services"
	// ChangePorts gives the first port of a Service another number.
	ChangePorts ChurnKind = "change-ports"
	// RollingUpdate replaces a quarter of a Service's endpoints with each write,
	// and one at least; those replaced answer for Churn.Grace and then vanish.
	RollingUpdate ChurnKind = "rolling-update"
	// Flap makes an endpoint not ready, and ready again 200 ms later, whatever
	// the proxy has made of it by then.
	Flap ChurnKind = "flap"
	// ScaleStorm doubles the endpoints of Churn.Share of the Services at once,
	// and halves them, in turns.
	ScaleStorm ChurnKind = "scale-storm"
	// NodeLoss makes one endpoint of Churn.Share of the Services vanish at once,
	// as if they had been on one node; they are removed a second later. In turns
	// with that, others take their place.
	NodeLoss ChurnKind = "node-loss"
)

// The kinds of changes to real pods, which not every provider has. Their Services
// are additional to the population.
const (
	// RollPods replaces the pod behind a Service by a new one, by a rolling
	// update of its Deployment: the new pod is ready before the old one is told
	// to end.
	RollPods ChurnKind = "roll-pods"
	// DeletePods deletes the pod behind a Service, whose Deployment makes
	// another.
	DeletePods ChurnKind = "delete-pods"
	// ScalePods scales a Deployment to two pods and back to one, in turns.
	ScalePods ChurnKind = "scale-pods"
	// FlipReadiness makes the pod behind a Service not ready and ready again, in
	// turns.
	FlipReadiness ChurnKind = "flip-readiness"
	// DrainNode evicts the pods of ten Services from their node at once.
	DrainNode ChurnKind = "drain-node"
)

// kindTexts explain the kinds, in the order of the reference.
func kindTexts() []struct {
	kind  ChurnKind
	about string
} {
	return []struct {
		kind  ChurnKind
		about string
	}{
		{ReplaceEndpoints, "replaces every endpoint of a Service by new ones, as a finished rolling update does"},
		{ScaleEndpoints, "adds an endpoint to a Service, and next time removes one"},
		{FlipEndpoints, "makes an endpoint not ready, and next time ready again"},
		{ScaleToZero, "removes all endpoints of a Service, and next time gives it new ones"},
		{RecreateServices, "deletes a Service, and next time creates it again"},
		{ChangePorts, "gives the port of a Service another number"},
		{RollingUpdate, "replaces a quarter of the endpoints of a Service, one at least, and those replaced vanish after churn.grace"},
		{Flap, "makes an endpoint not ready and 200ms later ready again"},
		{ScaleStorm, "doubles the endpoints of churn.share of the Services at once, and next time halves them"},
		{NodeLoss, "makes an endpoint of each of churn.share of the Services vanish at once, which are removed a second later and next time replaced"},
		{RollPods, "replaces the real pod of a Service by a rolling update of its Deployment, in kind clusters like all that follow"},
		{DeletePods, "deletes it"},
		{ScalePods, "scales the Deployment to two pods, and next time back"},
		{FlipReadiness, "makes the pod not ready, and next time ready again"},
		{DrainNode, "evicts the pods of ten Services from their node (--workers 2)"},
	}
}

// ChurnKinds returns every kind of change.
func ChurnKinds() []ChurnKind {
	var kinds []ChurnKind
	for _, k := range kindTexts() {
		kinds = append(kinds, k.kind)
	}
	return kinds
}

// About says what a change of the kind does.
func (k ChurnKind) About() string {
	for _, t := range kindTexts() {
		if t.kind == k {
			return t.about
		}
	}
	return ""
}

// ofPods reports whether a kind changes real pods.
func (k ChurnKind) ofPods() bool {
	return slices.Contains([]ChurnKind{RollPods, DeletePods, ScalePods, FlipReadiness, DrainNode}, k)
}

// silences reports whether a kind leaves Services without endpoints on purpose.
func (k ChurnKind) silences() bool {
	return slices.Contains([]ChurnKind{ScaleToZero, RecreateServices, ChangePorts}, k)
}

// needsTwo reports whether a kind takes an endpoint from a Service that another must
// be left to answer for.
func (k ChurnKind) needsTwo() bool {
	return slices.Contains([]ChurnKind{FlipEndpoints, Flap, NodeLoss}, k)
}

// PodNodes is how many nodes that run pods the scenario needs beside that of the
// client: none if it can be measured without pods.
func (s *Scenario) PodNodes() int {
	switch {
	case s.Churn == nil || !slices.ContainsFunc(s.Churn.Kinds, ChurnKind.ofPods) || !s.Measures(Programming):
		return 0
	case slices.Contains(s.Churn.Kinds, DrainNode):
		return 2
	}
	return 1
}

// Steps are the rates of the churn in the order in which they are tried.
func (c *Churn) Steps() []float64 {
	if len(c.Rates) > 0 {
		return c.Rates
	}
	return []float64{c.Rate}
}

// StepRest is the time between the last change at one rate and the first at the
// next, for what has not been programmed yet.
const StepRest = 5 * time.Second

// Length is how long the churn lasts, with the rest between its steps.
func (c *Churn) Length() time.Duration {
	steps := time.Duration(len(c.Steps()))
	return steps*c.Duration.Std() + (steps-1)*StepRest
}

func (c *Churn) setDefaults() {
	setDefault(&c.Timeout, DefaultChurnTimeout)
	if slices.Contains(c.Kinds, RollingUpdate) {
		setDefault(&c.Grace, DefaultChurnGrace)
	}
	if c.InGroups() {
		setDefault(&c.Share, DefaultChurnShare)
	}
}

// InGroups reports whether any kind changes many Services at once.
func (c *Churn) InGroups() bool {
	return slices.Contains(c.Kinds, ScaleStorm) || slices.Contains(c.Kinds, NodeLoss)
}

// checkChurn reports what does not go together in a churn.
func (d *decoder) checkChurn(s *Scenario) {
	c := s.Churn
	if c == nil || !d.sound("churn") {
		return
	}
	d.checkRates(c)
	d.checkKinds(s)
	d.checkUse("churn.grace", slices.Contains(c.Kinds, RollingUpdate), string(RollingUpdate))
	pods := slices.ContainsFunc(c.Kinds, ChurnKind.ofPods)
	d.checkUse("churn.watched", !pods, "a kind without real pods")
	d.checkUse("churn.flows", !pods && slices.ContainsFunc(c.Kinds, func(k ChurnKind) bool { return !k.silences() }), "a kind that leaves Services answering, without real pods,")
	d.checkUse("churn.share", c.InGroups(), string(ScaleStorm)+" or "+string(NodeLoss))
	if f := c.Freeze; f != nil && d.sound("churn.freeze", "churn.freeze.after", "churn.freeze.duration", "churn.duration") && (f.After+f.Duration).Std() > c.Length() {
		d.report(d.keyOf("churn.freeze", nil), Problem{Path: "churn.freeze", Message: "churn.freeze ends after the churn",
			Found: fmt.Sprintf("%v and %v, of %v", f.After, f.Duration, c.Length()), Expected: "a sum of at most the churn's duration"})
	}
}

// checkUse reports a setting that none of the kinds uses.
func (d *decoder) checkUse(path string, used bool, users string) {
	if at := d.marks[path]; at != nil && !used && d.sound("churn.kinds", path) {
		d.report(at.key, Problem{Path: path, Message: path + " is used by none of churn.kinds", Expected: users + " among them, or no " + path})
	}
}

// checkRates reports that there is no rate, or one too many.
func (d *decoder) checkRates(c *Churn) {
	if !d.sound("churn.rate", "churn.rates") {
		return
	}
	one, many := d.marks["churn.rate"], d.marks["churn.rates"]
	switch {
	case one == nil && many == nil:
		d.report(d.keyOf("churn", nil), Problem{Path: "churn.rate", Message: "churn.rate is missing", Expected: "rate or rates"})
	case one != nil && many != nil:
		d.report(one.key, Problem{Path: "churn.rate", Message: "churn.rate stands beside churn.rates", Expected: "rate or rates"})
	case many != nil && d.sound("churn.duration") && slices.Min(c.Rates)*c.Duration.Std().Seconds() < 1:
		d.report(many.value, Problem{Path: "churn.rates", Message: "churn.rates has one that is too low for a single change",
			Found: fmt.Sprintf("%v/s for %v", slices.Min(c.Rates), c.Duration), Expected: "rate x duration of at least 1"})
	case many != nil && !slices.IsSorted(c.Rates):
		d.report(many.value, Problem{Path: "churn.rates", Message: "churn.rates does not rise", Found: fmt.Sprint(c.Rates), Expected: "the lowest rate first"})
	}
}

// checkKinds reports kinds that cannot be measured together, or not so.
func (d *decoder) checkKinds(s *Scenario) {
	kinds := s.Churn.Kinds
	for i, k := range kinds {
		path := fmt.Sprintf("churn.kinds[%d]", i)
		if !d.sound("churn.kinds", path) || d.marks[path] == nil {
			continue
		}
		at := d.marks[path].value
		switch {
		case k.ofPods() && len(kinds) > 1:
			d.report(at, Problem{Path: path, Message: path + " changes real pods, beside something else",
				Found: string(k), Expected: "a kind with real pods alone"})
			return
		case k.ofPods() && len(s.Churn.Rates) > 0:
			d.report(at, Problem{Path: path, Message: path + " changes real pods, which has one rate only", Found: string(k), Expected: "churn.rate instead of churn.rates"})
			return
		case k.needsTwo() && slices.ContainsFunc(s.ResolvedPoints(), func(p Point) bool { return p.Endpoints < 2 }):
			d.report(at, Problem{Path: path, Message: path + " leaves no endpoint to a Service that has one", Found: string(k),
				Expected: "2 endpoints or more at every point, or another kind"})
			return
		case k == ChangePorts && s.Population.Type == NodePort:
			d.report(at, Problem{Path: path, Message: path + " changes no node port, and traffic goes to those", Found: string(k),
				Expected: "population.type ClusterIP, or another kind"})
			return
		}
	}
}
