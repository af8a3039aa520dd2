package runners

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"svcbench/internal/results"
	"svcbench/scenarios"
)

// TestEveryKindOfChange makes changes of all kinds that need no pods, and checks
// that each is recorded and counted, that of each kind some are seen (a busy machine
// may hide others), and that the population is what the changes say afterwards.
func TestEveryKindOfChange(t *testing.T) {
	var kinds []string
	for _, k := range scenarios.ChurnKinds() {
		if (&scenarios.Scenario{Churn: &scenarios.Churn{Kinds: []scenarios.ChurnKind{k}}}).PodNodes() == 0 {
			kinds = append(kinds, string(k))
		}
	}
	s := parse(t, "kinds", `
population: {services: 150, endpoints: 2}
modes: [nftables]
blocks: 1
measure: [programming, proxy]
churn:
  kinds: [`+strings.Join(kinds, ", ")+`]
  rate: 10
  duration: 4s
  timeout: 20s
  grace: 100ms
  share: 0.02
  watched: 1
`)
	trial := gently(t, s)
	made, seen := map[string]int{}, map[string]int{}
	ids := map[int]bool{}
	for _, ch := range trial.Changes {
		if ids[ch.ID] {
			t.Errorf("two changes are number %d", ch.ID)
		}
		ids[ch.ID] = true
		made[ch.Kind]++
		switch {
		case ch.Error != "" && ch.Error != beforehand, ch.Sent < ch.Due, ch.Acked < ch.Sent, ch.Probes == 0 && ch.Unseen != results.UnseenSilent:
			t.Errorf("change %+v", ch)
		case ch.Unseen == results.UnseenSilent, strings.HasPrefix(ch.Kind, "flap-") && ch.Unseen != "": // overtaken
			seen[ch.Kind]++
		case ch.Error != "", ch.Unseen != "":
		case ch.Only != results.OnlyOld && ch.FirstNew == 0, ch.Only != results.OnlyNew && ch.OldSettled == 0:
			t.Logf("not seen: %+v", ch)
		default:
			seen[ch.Kind]++
		}
	}
	// Four changes of each kind; those that take turns are two names, a flap is two
	// writes, and three Services are changed at once.
	for name, want := range map[string]int{
		"replace-endpoints": 4, "add-endpoint": 4, "endpoint-unready": 4, "scale-to-zero": 4, "delete-service": 4,
		"change-port": 4, "rolling-update": 4, "pods-ended": 4, "flap-down": 4, "flap-up": 4, "storm-up": 12, "node-lost": 12,
	} {
		back := map[string]string{"storm-up": "storm-down", "node-lost": "node-replaced"}[name] // as groups come to be free
		if n := made[name] + made[back]; n != want {
			t.Errorf("%d of %s, want %d: %v", n, name, want, made)
		}
		if seen[name]+seen[back] == 0 {
			t.Errorf("no change %s was seen", name)
		}
	}
	scalars := map[string]float64{}
	for _, s := range trial.Scalars {
		scalars[s.Metric] = s.Value
	}
	if n := float64(len(trial.Changes)); scalars[results.ChurnDue] != n || scalars[results.ChurnSent] != n {
		t.Errorf("%v due and %v sent, and there are %v", scalars[results.ChurnDue], scalars[results.ChurnSent], n)
	}
	for _, class := range []string{results.ClassAll, results.ClassChanged, results.ClassFirst, results.ClassLast} {
		if !slices.ContainsFunc(trial.Histograms, func(h results.Histogram) bool {
			return h.Metric == results.ConnectChurn && h.Class == class && h.Count > 0
		}) {
			t.Errorf("no connections of class %s during churn", class)
		}
	}
}

// gently measures a scenario with a tenth of the connections that watch changes: they,
// the pods and the proxy are all in this process.
func gently(t *testing.T, s scenarios.Scenario) *results.Trial {
	t.Helper()
	p := &fakeProvider{t: t, prepare: func(c *fakeCluster) { c.inNamespace() }}
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(t.Context(), p, mustPlan(t, s), Options{Dir: dir, ProbeInterval: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	data, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return data.Trials[0]
}

// Changes that traffic does not watch for are made and recorded all the same.
func TestUnwatchedChanges(t *testing.T) {
	s := parse(t, "unwatched", `
population: {services: 100, endpoints: 1}
modes: [nftables]
blocks: 1
measure: [programming, proxy]
churn: {kinds: [replace-endpoints], rate: 100, duration: 1s, timeout: 5s, watched: 0}
`)
	p := &fakeProvider{prepare: func(c *fakeCluster) { c.inNamespace() }}
	_, data, err := measure(t.Context(), t, p, &recorder{}, s)
	if err != nil {
		t.Fatal(err)
	}
	trial := data.Trials[0]
	if len(trial.Changes) != 100 || !slices.ContainsFunc(trial.Notes, func(n string) bool { return strings.Contains(n, "0 of 100 changes were watched") }) {
		t.Errorf("%d changes, notes %q", len(trial.Changes), trial.Notes)
	}
	for _, ch := range trial.Changes {
		if ch.Unseen != results.UnseenNotWatched || ch.Acked == 0 || ch.Probes != 0 {
			t.Errorf("change %+v", ch)
		}
	}
}
