package runners

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"svcbench/internal/agent/httpload"
	"svcbench/internal/agent/path"
	"svcbench/internal/agent/verify"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

// coldOnly is the cheapest scenario: nothing but the start of the proxy.
func coldOnly(t *testing.T, blocks int) scenarios.Scenario {
	return parse(t, "cold", fmt.Sprintf("population: {services: 5}\nmodes: [iptables]\nblocks: %d\nmeasure: [coldstart, proxy]\n", blocks))
}

// measure runs scenarios with a provider and reads back what it stored.
func measure(ctx context.Context, t *testing.T, p *fakeProvider, o *recorder, scs ...scenarios.Scenario) (Outcome, *results.Data, error) {
	t.Helper()
	p.t, o.t = t, t
	dir := filepath.Join(t.TempDir(), "run")
	out, err := Run(ctx, p, mustPlan(t, scs...), Options{Dir: dir, Command: "svcbench run", Observer: o})
	if p.last != nil && p.last.closed == 0 && p.last.refuse == nil {
		t.Error("the last cluster was not closed")
	}
	data, openErr := results.Open(dir)
	if openErr != nil {
		t.Fatalf("open the run directory: %v (the run ended with %v)", openErr, err)
	}
	return out, data, err
}

// words returns addresses as the path probe's columns have them.
func words(ips ...netip.Addr) path.Words {
	var w path.Words
	for _, ip := range ips {
		b := ip.As4()
		w = append(w, binary.BigEndian.Uint32(b[:]))
	}
	return w
}

func TestRunMeasuresEverything(t *testing.T) {
	s := parse(t, "full", `
population: {services: 40, endpoints: 2}
modes: [nftables]
blocks: 1
traffic:
  connect: {rate: 500, warmup: 20ms, duration: 400ms}
  http: {rate: 200, warmup: 50ms, duration: 100ms}
churn: {kinds: [replace-endpoints], rate: 20, duration: 500ms, timeout: 5s, watched: 1}
`)
	p := &fakeProvider{prepare: func(c *fakeCluster) {
		c.inNamespace()
		c.httpSays(func(s httpload.Spec) {
			// The warm-up has ten requests, so ten connections to keep; six
			// of the Services are those of positions.
			if want := map[bool]int{true: 10, false: 34}[s.KeepAlive]; len(s.Targets) != want || s.Rate != 200 {
				t.Errorf("%d targets at %d/s, kept %v; want %d", len(s.Targets), s.Rate, s.KeepAlive, want)
			}
		})
		c.pathSays("attached", func() path.Samples {
			// Ten of the warm-up; then the last Service, which is first in
			// the rules, one in their first tenth, a pod and a stranger.
			dst := words(slices.Repeat([]netip.Addr{netip.MustParseAddr("10.96.1.7")}, 10)...)
			dst = append(dst, words(netip.MustParseAddr("10.96.1.39"), netip.MustParseAddr("10.96.1.37"),
				netip.MustParseAddr("10.244.1.0"), netip.MustParseAddr("10.96.0.1"))...)
			return path.Samples{Dst: dst, Backend: dst, NS: make(path.Words, len(dst)), Entered: 100, Matched: 90, Lost: 10}
		})
	}}
	o := &recorder{}
	out, data, err := measure(t.Context(), t, p, o, s)
	if err != nil {
		t.Fatal(err)
	}
	if out.Complete != 1 || out.Failed != 0 || o.steps != 80 {
		t.Errorf("outcome %+v, %d steps", out, o.steps)
	}
	if data.Environment.Versions["fake"] != "v1" || data.Environment.Facts["masquerade"] != "no" || data.Run.Finished.IsZero() {
		t.Errorf("run %+v of %+v", data.Run, data.Environment)
	}
	trial := data.Trials[0]
	checkPhases(t, trial, o)
	checkHistograms(t, trial)
	checkScalars(t, trial)
	checkChanges(t, trial, p.last)
	if trial.ProxyConfig != "mode: nftables" || !slices.Contains(trial.Notes, "a few lines of Go") {
		t.Errorf("config %q, notes %q", trial.ProxyConfig, trial.Notes)
	}
	for _, want := range []results.Warning{
		{Metric: results.Path, Message: "10 of 100 connections were lost because the probe's memory was full"},
		{Metric: results.Path, Message: "1 samples were to addresses"},
		{Metric: results.HTTPNew, Message: "2 of 12 requests were never sent"},
		{Metric: results.HTTPKeepAlive, Message: "10% of the requests"},
	} {
		if !slices.ContainsFunc(trial.Warnings, func(w results.Warning) bool {
			return w.Metric == want.Metric && strings.HasPrefix(w.Message, want.Message)
		}) {
			t.Errorf("no warning %+v in %+v", want, trial.Warnings)
		}
	}
}

func checkPhases(t *testing.T, trial *results.Trial, o *recorder) {
	t.Helper()
	want := []string{
		phaseClusterUp, phasePopulate, phaseReach, phaseColdStart, phaseRules, phaseCorrect, phaseAttach,
		phaseConnect, phaseCollectPath, phaseKeepAlive, phaseNew, phaseChurn, phaseIntact, phaseProxyCost, phaseClusterDown,
	}
	var got []string
	last := int64(0)
	for _, p := range trial.Phases {
		got = append(got, p.Name)
		if p.Start < last || p.End < p.Start {
			t.Errorf("phase %s from %d to %d begins before %d", p.Name, p.Start, p.End, last)
		}
		last = p.End
	}
	if !slices.Equal(got, want) || !slices.Equal(o.phases, want) {
		t.Errorf("phases %q, told %q, want %q", got, o.phases, want)
	}
}

func checkHistograms(t *testing.T, trial *results.Trial) {
	t.Helper()
	counts := map[string]int64{}
	for _, h := range trial.Histograms {
		if h.Errors != nil || h.Censored != 0 {
			t.Errorf("%s of %s: %d censored, errors %v", h.Metric, h.Class, h.Censored, h.Errors)
		}
		counts[h.Metric+" "+h.Class] = h.Count
	}
	for what, want := range map[string]int64{
		// 200 connections in ten shares.
		"connect all": 120, "connect first": 20, "connect middle": 20, "connect last": 20, "connect direct": 20,
		"connect.syscall all": 120, "connect.lag all": 200,
		"path first": 1, "path all": 1, "path d01": 1, "path direct": 1, "path last": 0,
		"http.keepalive all": 1, "http.keepalive.service all": 1, "http.new all": 1, "http.new.lag all": 1,
		"connect.churn all": 160, "connect.churn changed": 160, "connect.churn first": 40, "connect.churn last": 40,
	} {
		if counts[what] != want {
			t.Errorf("%s has %d samples, want %d", what, counts[what], want)
		}
	}
	if len(trial.Series) != 1 || trial.Series[0].Metric != results.ConnectChurn || len(trial.Series[0].Bins) != 20 {
		t.Errorf("series %+v", trial.Series)
	}
}

func checkScalars(t *testing.T, trial *results.Trial) {
	t.Helper()
	got := map[string]float64{}
	for _, s := range trial.Scalars {
		got[s.Metric] = s.Value
	}
	for metric, want := range map[string]float64{
		"rules.count": 129, "rules.chains": 7, results.ProxyRSS: 42 << 20, results.ProxySyncChurn: 0.5,
	} {
		if got[metric] != want {
			t.Errorf("%s is %v, want %v", metric, got[metric], want)
		}
	}
	for _, metric := range []string{
		results.ClusterUp, results.ClusterDown, results.PopulateRate, results.ColdStart, results.ProxyCPU,
		results.ProxyCPUStart, results.ProxyCPUChurn, results.ProxySyncFirst, results.ProxySyncCount,
	} {
		if got[metric] <= 0 {
			t.Errorf("%s is %v", metric, got[metric])
		}
	}
	if len(trial.Missing) != 0 {
		t.Errorf("missing %+v", trial.Missing)
	}
}

func checkChanges(t *testing.T, trial *results.Trial, c *fakeCluster) {
	t.Helper()
	if len(trial.Changes) != 10 {
		t.Errorf("%d changes", len(trial.Changes))
	}
	services := map[string]bool{}
	for i, ch := range trial.Changes {
		services[ch.Service] = true
		if ch.ID != i+1 || ch.Kind != "replace-endpoints" || ch.Error != "" {
			t.Errorf("change %+v", ch)
		}
		if ch.Sent < ch.Due || ch.Acked < ch.Sent || ch.FirstNew == 0 || ch.OldSettled < ch.FirstNew || ch.GaveUp < ch.OldSettled || ch.Probes == 0 {
			t.Errorf("the times of change %+v have no order", ch)
		}
	}
	if len(services) != 10 {
		t.Errorf("only %d Services were changed", len(services))
	}
	if len(c.off) != 20 {
		t.Errorf("%d pods were taken away, want 20", len(c.off))
	}
}

// What cannot be measured is missing, with its reason, and the trial complete.
func TestRunWithoutInstruments(t *testing.T) {
	s := parse(t, "less", `
population: {services: 30, endpoints: 1}
modes: [nftables]
blocks: 1
traffic: {connect: {rate: 200, warmup: 10ms, duration: 100ms}}
`)
	p := &fakeProvider{prepare: func(c *fakeCluster) {
		c.inNamespace()
		c.pathSays("unsupported", nil)
		c.proxy.rules = errors.New("nft said no")
	}}
	_, data, err := measure(t.Context(), t, p, &recorder{}, s)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]string{}
	for _, m := range data.Trials[0].Missing {
		missing[m.Metric] = m.Because
	}
	for metric, because := range map[string]string{
		results.Path: "the kernel is too old", results.Rules: "nft said no",
	} {
		if !strings.Contains(missing[metric], because) {
			t.Errorf("%s is missing because %q, want %q", metric, missing[metric], because)
		}
	}
}

func TestRunFailures(t *testing.T) {
	gone := errors.New("kube-apiserver ended: exit status 2: out of memory")
	for _, c := range []struct {
		name    string
		blocks  int
		prepare func(*fakeCluster)
		code    failure.Code
		started int // clusters
		say     string
	}{
		{"a part dies", 1, func(c *fakeCluster) {
			c.proxy.onStart = func() {
				c.die(gone)
				delete(c.launcher, verify.Name)
			}
		}, failure.Invalid, 1, gone.Error()},
		{"the API refuses", 2, func(c *fakeCluster) {
			c.api.(*fake.Clientset).PrependReactor("create", "services", func(ktesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewBadRequest("no more Services")
			})
		}, failure.Invalid, 2, "no more Services"},
		{"three in a row", 5, func(c *fakeCluster) { c.refuse = errors.New("no room for a namespace") }, failure.Invalid, 3, "3 trials in a row failed"},
		{"a message names a log", 1, func(c *fakeCluster) {
			c.refuse = fmt.Errorf("etcd ended, see %s", filepath.Join(c.config.LogDir, "etcd.log"))
		}, failure.Invalid, 1, "trials/0001-cold-5x2-iptables-b1/logs/etcd.log"},
		{"the disk is full", 5, func(c *fakeCluster) { c.refuse = fmt.Errorf("start etcd: %w", unix.ENOSPC) }, failure.Environment, 1, "no space left"},
		{"not fit", 5, func(c *fakeCluster) {
			c.refuse = failure.New(failure.Environment, errors.New("kube-proxy is not built"), "read "+c.config.LogDir)
		}, failure.Environment, 1, "kube-proxy is not built"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakeProvider{prepare: func(f *fakeCluster) {
				f.converged()
				c.prepare(f)
			}}
			o := &recorder{}
			out, data, err := measure(t.Context(), t, p, o, coldOnly(t, c.blocks))
			if failure.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.say) {
				t.Errorf("error %v (code %d), want code %d and %q", err, failure.CodeOf(err), c.code, c.say)
			}
			if text := fmt.Sprint(err) + failure.HintOf(err); strings.Contains(text, ".tmp") {
				t.Errorf("%s names a folder that is there no more", text)
			}
			if p.started != c.started || out.Failed != c.started || len(data.Trials) != c.started {
				t.Errorf("%d clusters, %d failed, %d stored; want %d", p.started, out.Failed, len(data.Trials), c.started)
			}
			for _, trial := range data.Trials {
				if trial.Status != results.Failed || trial.Error == "" {
					t.Errorf("trial %s is %s: %s", trial.ID, trial.Status, trial.Error)
				}
			}
		})
	}
}

// One bad trial does not cost the others.
func TestRunGoesOn(t *testing.T) {
	trials := 0
	p := &fakeProvider{prepare: func(f *fakeCluster) {
		f.converged()
		if trials++; trials == 2 {
			f.refuse = errors.New("a hiccup")
		}
	}}
	out, data, err := measure(t.Context(), t, p, &recorder{}, coldOnly(t, 4))
	if failure.CodeOf(err) != failure.Invalid || out.Complete != 3 || out.Failed != 1 || len(data.Trials) != 4 || data.Run.Interrupted != "" {
		t.Errorf("outcome %+v, %d stored, interrupted %q, %v", out, len(data.Trials), data.Run.Interrupted, err)
	}
	if hint := failure.HintOf(err); !strings.Contains(hint, filepath.Join(data.Run.Plan[1].ID, "logs")) {
		t.Errorf("hint %q does not lead to the logs", hint)
	}
}

func TestRunInterrupted(t *testing.T) {
	// A trial that comes to its end all the same is kept.
	for at, complete := range map[string]int{phasePopulate: 1, phaseColdStart: 1, phaseClusterDown: 2} {
		t.Run(at, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			p := &fakeProvider{prepare: (*fakeCluster).converged}
			trials := 0
			o := &recorder{onPhase: func(name string) {
				if name == phaseClusterUp {
					trials++
				}
				if name == at && trials == 2 {
					cancel(errors.New("Ctrl-C"))
				}
			}}
			out, data, err := measure(ctx, t, p, o, coldOnly(t, 3))
			if failure.CodeOf(err) != failure.Interrupted || !strings.Contains(err.Error(), "Ctrl-C") {
				t.Errorf("error %v (code %d)", err, failure.CodeOf(err))
			}
			if !strings.Contains(data.Run.Interrupted, "Ctrl-C") || data.Run.Finished.IsZero() {
				t.Errorf("the run says %q", data.Run.Interrupted)
			}
			if out.Complete != complete || p.started != 2 {
				t.Errorf("outcome %+v after %d clusters", out, p.started)
			}
			stored, err := os.ReadDir(filepath.Join(data.Dir, "trials"))
			if err != nil || len(stored) != len(data.Trials) {
				t.Errorf("folders %v, %v; want those of %d trials", stored, err, len(data.Trials))
			}
		})
	}
}
