package main

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"svcbench/internal/results"
	"svcbench/runners"
)

// event is what the svcbench in a virtual machine tells the one outside: one
// JSON object a line, in which one field is set.
type event struct {
	// Planned are the trials of the whole run, told once at the start.
	Planned []results.PlannedTrial `json:"planned,omitempty"`
	// The others are the calls of a runners.Observer.
	Started *results.PlannedTrial `json:"started,omitempty"`
	Phase   *phaseEvent           `json:"phase,omitempty"`
	Step    *stepEvent            `json:"step,omitempty"`
	Ended   *endedEvent           `json:"ended,omitempty"`
	Warning string                `json:"warning,omitempty"`
}

type phaseEvent struct {
	Name      string `json:"name"`
	Measuring bool   `json:"measuring,omitempty"`
}

type stepEvent struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// endedEvent is what a person is told of a trial that has ended.
type endedEvent struct {
	ID         string              `json:"id"`
	Status     results.Status      `json:"status"`
	Error      string              `json:"error,omitempty"`
	Histograms []results.Histogram `json:"histograms,omitempty"`
}

// relay is the observer inside: it tells the one outside.
type relay struct {
	mu sync.Mutex
	to io.Writer
}

var _ runners.Observer = (*relay)(nil)

// tell lets errors go: a host that does not listen ends the machine.
func (r *relay) tell(e event) {
	b, err := json.Marshal(e)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.to.Write(append(b, '\n'))
}

// planned tells which trials there will be.
func (r *relay) planned(trials []results.PlannedTrial) { r.tell(event{Planned: trials}) }

func (r *relay) TrialStarted(t results.PlannedTrial, _, _ int) { r.tell(event{Started: &t}) }

func (r *relay) Phase(name string, measuring bool) {
	r.tell(event{Phase: &phaseEvent{Name: name, Measuring: measuring}})
}

func (r *relay) Step(done, total int) { r.tell(event{Step: &stepEvent{Done: done, Total: total}}) }

func (r *relay) TrialEnded(t *results.Trial, _ time.Duration) {
	r.tell(event{Ended: &endedEvent{ID: t.ID, Status: t.Status, Error: t.Error, Histograms: highlighted(t.Histograms)}})
}

func (r *relay) Warning(message string) { r.tell(event{Warning: message}) }

// listener is where outside the events of one machine arrive.
type listener struct {
	observer runners.Observer
	planned  func([]results.PlannedTrial)
	ended    func(results.Status)
	// other gets lines that are no events.
	other func(string)

	began time.Time // by the time out here: the clock inside may be another
}

// take passes the event of one line on.
func (l *listener) take(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		l.other(line)
		return
	}
	switch {
	case e.Planned != nil:
		l.planned(e.Planned)
	case e.Started != nil:
		l.began = time.Now()
		l.observer.TrialStarted(*e.Started, 0, 0)
	case e.Phase != nil:
		l.observer.Phase(e.Phase.Name, e.Phase.Measuring)
	case e.Step != nil:
		l.observer.Step(e.Step.Done, e.Step.Total)
	case e.Ended != nil:
		l.observer.TrialEnded(&results.Trial{ID: e.Ended.ID, Status: e.Ended.Status, Error: e.Ended.Error, Histograms: e.Ended.Histograms}, time.Since(l.began))
		l.ended(e.Ended.Status)
	case e.Warning != "":
		l.observer.Warning(e.Warning)
	}
}
