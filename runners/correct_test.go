package runners

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"svcbench/internal/agent"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
	"svcbench/internal/agent/verify"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/scenarios"
)

func podIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 128, byte(i >> 8), byte(i)}) }

// aService is a target with endpoints and what became of so many connections to
// each of them.
func aService(answers ...int64) (verify.Target, verify.TargetResult) {
	t := verify.Target{ID: "svc-00042", Addr: netip.MustParseAddrPort("10.96.1.7:80")}
	r := verify.TargetResult{ID: t.ID, Addr: t.Addr, Complete: 1, Answers: map[netip.Addr]int64{}, Wrong: map[netip.Addr]int64{}, Errors: map[string]int64{}}
	for i, n := range answers {
		t.Want = append(t.Want, podIP(i))
		r.Answers[podIP(i)] = n
		r.Attempts += n
		r.Needed++
		if n > 0 {
			r.Seen++
		}
	}
	return t, r
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []int64 // none: a Service without endpoints
		spoil   func(*verify.TargetResult)
		say     string // empty if all is well
	}{
		{"right", []int64{50, 50}, func(*verify.TargetResult) {}, ""},
		{"one lost packet", []int64{50, 50}, func(r *verify.TargetResult) { r.Errors[errkind.Timeout] = 1 }, ""},
		{"refused", nil, func(r *verify.TargetResult) { r.Errors[errkind.Refused] = 3 }, ""},
		{"a stranger", []int64{50, 50}, func(r *verify.TargetResult) { r.Wrong[podIP(999)] = 1 },
			"Service svc-00042 (10.96.1.7:80) was answered by 10.128.3.231, which is not one of its endpoints 10.128.0.0, 10.128.0.1"},
		{"a stranger without endpoints", nil, func(r *verify.TargetResult) { r.Wrong[podIP(999)] = 1 },
			"Service svc-00042 (10.96.1.7:80) was answered by 10.128.3.231, but it has no endpoints"},
		{"one endpoint missing", []int64{100, 0}, func(r *verify.TargetResult) { r.Complete = 0 },
			"was answered by 1 of 2 endpoints in 100 connections"},
		{"neither refused nor silent", nil, func(r *verify.TargetResult) { r.Complete, r.Attempts, r.Errors[errkind.Reset] = 0, 7, 7 },
			"which has no endpoints, neither refused nor ignored 7 connections: 7 reset"},
		{"refuses some", []int64{49, 49}, func(r *verify.TargetResult) { r.Attempts, r.Errors[errkind.Refused] = 100, 2 },
			"2 of 100 connections to Services got no answer, after all had been programmed: 2 refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, result := aService(test.answers...)
			test.spoil(&result)
			targets, all := []verify.Target{target}, &verify.Result{Targets: []verify.TargetResult{result}}
			err := judge(targets, all, count(targets, all))
			if (err == nil) != (test.say == "") || (err != nil && !strings.Contains(err.Error(), test.say)) {
				t.Errorf("got %v, want %q", err, test.say)
			}
		})
	}
}

func TestBalanceIsTested(t *testing.T) {
	even := func(endpoints int, each int64) []int64 {
		all := make([]int64, endpoints)
		for i := range all {
			all[i] = each
		}
		return all
	}
	repeat := func(n int, answers []int64) [][]int64 {
		all := make([][]int64, n)
		for i := range all {
			all[i] = answers
		}
		return all
	}
	half := append(even(50, 2), even(50, 0)...)
	for _, test := range []struct {
		name     string
		services [][]int64
		degrees  int
		fails    bool
	}{
		{"round robin", repeat(20, []int64{22, 21}), 20, false},
		{"chance", [][]int64{{20, 23}, {26, 17}, {15, 28}}, 3, false},
		{"a little uneven", repeat(20, []int64{25, 18}), 20, false},
		{"always the same", repeat(20, []int64{43, 0}), 20, true},
		{"one Service always the same", append(repeat(22, []int64{22, 21}), []int64{0, 43}), 23, true},
		{"nine to one", repeat(20, []int64{39, 4}), 20, true},
		{"half of the endpoints", [][]int64{half}, 9, true},
		{"a thousand endpoints", [][]int64{even(1000, 1)}, 99, false},
		{"one endpoint", repeat(20, []int64{43}), 0, false},
		{"too few connections", [][]int64{{10, 0}}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var targets []verify.Target
			var all verify.Result
			for _, answers := range test.services {
				target, result := aService(answers...)
				targets, all.Targets = append(targets, target), append(all.Targets, result)
			}
			b, err := testBalance(targets, &all)
			if (err != nil) != test.fails {
				t.Errorf("%+v: %v", b, err)
			}
			if degrees := degreesOf(b); degrees != test.degrees {
				t.Errorf("%d degrees of freedom, want %d", degrees, test.degrees)
			}
			if err != nil && !strings.Contains(err.Error(), "svc-00042 (10.96.1.7:80) led so many connections to each: ") {
				t.Error(err)
			}
		})
	}
}

func degreesOf(b *results.Balance) int {
	if b == nil {
		return 0
	}
	return b.Degrees
}

// Chance alone must hardly ever fail the test: of as many trials as fit into a
// test, none.
func TestChanceIsBalanced(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, shape := range []struct{ services, endpoints int }{{23, 2}, {23, 3}, {1, 10}, {46, 100}, {3, 1}} {
		each := correctAttempts(shape.services, shape.endpoints)
		for range 200 {
			var targets []verify.Target
			var all verify.Result
			for range shape.services {
				answers := make([]int64, shape.endpoints)
				for range each {
					answers[random.IntN(shape.endpoints)]++
				}
				target, result := aService(answers...)
				targets, all.Targets = append(targets, target), append(all.Targets, result)
			}
			if b, err := testBalance(targets, &all); err != nil {
				t.Errorf("%+v: %+v, %v", shape, b, err)
			}
		}
	}
}

func TestCorrectAttempts(t *testing.T) {
	for _, test := range []struct{ targets, endpoints, want int }{
		{1, 2, 200}, {23, 2, 43}, {23, 1, 43}, {46, 100, 21}, {1, 1000, 1000}, {500, 2, 10},
	} {
		if got := correctAttempts(test.targets, test.endpoints); got != test.want {
			t.Errorf("%d targets with %d endpoints: %d connections each, want %d", test.targets, test.endpoints, got, test.want)
		}
	}
}

func TestWhoBalances(t *testing.T) {
	for _, test := range []struct {
		mode      scenarios.Mode
		scheduler string
		seen      int
	}{
		{scenarios.NFTables, "", seenAtMost}, {scenarios.NFTables, "sh", seenAtMost},
		{scenarios.IPVS, "", seenAtMost}, {scenarios.IPVS, "wlc", seenAtMost}, {scenarios.IPVS, "sh", 1}, {scenarios.IPVS, "mh", seenAtMost},
		{scenarios.IPVS, "sed", 1}, {scenarios.IPVS, "nq", 1}, {scenarios.IPVS, "lc", seenAtMost},
	} {
		f := &inFlight{trial: Trial{mode: test.mode, scenario: &scenarios.Scenario{IPVS: scenarios.IPVSSettings{Scheduler: test.scheduler}}}}
		if got := f.seen(); got != test.seen {
			t.Errorf("%s with %q: %d endpoints must answer, want %d", test.mode, test.scheduler, got, test.seen)
		}
	}
}

// By which number Cilium chooses is no matter of chance in one case alone.
func TestSocketsPrefer(t *testing.T) {
	for _, test := range []struct {
		protocol scenarios.Protocol
		datapath scenarios.Datapath
		seen     int
	}{
		{scenarios.UDP, scenarios.DatapathSocket, 1}, {scenarios.UDP, scenarios.DatapathTC, seenAtMost}, {scenarios.TCP, scenarios.DatapathSocket, seenAtMost},
	} {
		f := &inFlight{trial: Trial{mode: scenarios.EBPF, scenario: &scenarios.Scenario{
			Population: scenarios.Population{Protocol: test.protocol}, EBPF: scenarios.EBPFSettings{Datapath: test.datapath},
		}}}
		if got := f.seen(); got != test.seen {
			t.Errorf("%s in %s: %d endpoints must answer, want %d", test.protocol, test.datapath, got, test.seen)
		}
	}
}

// What is found is in the record, and a failure makes the trial invalid before
// anything is measured.
func TestRunChecksFirst(t *testing.T) {
	s := parse(t, "checked", `
population: {services: 40, endpoints: 2}
modes: [nftables]
blocks: 1
traffic: {connect: {rate: 200, warmup: 10ms, duration: 100ms}}
measure: [connect]
`)
	t.Run("right", func(t *testing.T) {
		p := &fakeProvider{prepare: func(c *fakeCluster) { c.inNamespace() }}
		_, data, err := measure(t.Context(), t, p, &recorder{}, s)
		if err != nil {
			t.Fatal(err)
		}
		c := data.Trials[0].Correct
		if c == nil || c.Services < 20 || c.Connections < 800 || c.Wrong != 0 || c.EmptyServices != 2 || c.Empty[errkind.Timeout] < 2*(3+patience) {
			t.Fatalf("found %+v", c)
		}
		if !slices.Contains(data.Trials[0].Notes, "connections to Services without endpoints are dropped without a word") {
			t.Errorf("notes %q", data.Trials[0].Notes)
		}
		if c.Balance == nil || c.Balance.Degrees < 20 || c.Balance.Connections < 800 {
			t.Errorf("balance %+v", c.Balance)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		p := &fakeProvider{prepare: func(c *fakeCluster) {
			c.converged()
			converge := c.launcher[verify.Name]
			c.launcher[verify.Name] = func(ctx context.Context, conn *agent.Conn) error {
				if c.proxy.syncs.Load() == 0 { // pods are reached without a proxy
					return converge(ctx, conn)
				}
				return agent.Answer(ctx, conn, func(_ context.Context, s verify.Spec) (*verify.Result, error) {
					r := &verify.Result{}
					for _, t := range s.Targets {
						one := verify.TargetResult{ID: t.ID, FirstOK: 1, Complete: 1}
						if t.Attempts > 0 {
							one.Wrong = map[netip.Addr]int64{podIP(1): 1}
						}
						r.Targets = append(r.Targets, one)
					}
					return r, nil
				})
			}
		}}
		o := &recorder{}
		_, data, err := measure(t.Context(), t, p, o, s)
		trial := data.Trials[0]
		const want = "correct: the Service svc-00000 (10.96.1.0:80) was answered by 10.128.0.1, which is not one of its endpoints 10.244.1.0, 10.244.1.1"
		if failure.CodeOf(err) != failure.Invalid || trial.Status != results.Failed || trial.Error != want {
			t.Errorf("%v; the trial %s: %s", err, trial.Status, trial.Error)
		}
		if trial.Correct == nil || trial.Correct.Wrong == 0 || trial.Correct.Problem == "" {
			t.Errorf("found %+v", trial.Correct)
		}
		for _, p := range trial.Phases {
			if p.Name == phaseConnect {
				t.Error("it was measured all the same")
			}
		}
	})
}

// A machine that stands still for a moment makes connections time out in every
// mode: only a Service that also does so to a patient client is wrong.
func TestTimeoutsAreCheckedAgain(t *testing.T) {
	s := parse(t, "busy", "population: {services: 5, endpoints: 2}\nmodes: [nftables]\nblocks: 1\nmeasure: [coldstart]\n")
	for _, test := range []struct {
		name       string
		kind       string // of what becomes of a tenth of all connections
		always     bool   // to a patient client too
		looks      int
		say        string // the trial's error; empty if it is complete
		complaints int
	}{
		{"at first", errkind.Timeout, false, 2, "", 1},
		{"always", errkind.Timeout, true, 2, "correct: 40 of 400 connections to Services got no answer, after all had been programmed: 40 timeout", 1},
		{"refused", errkind.Refused, false, 1, "correct: 40 of 400 connections to Services got no answer, after all had been programmed: 40 refused", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			looks := 0
			p := &fakeProvider{prepare: func(c *fakeCluster) {
				c.launcher[verify.Name] = func(ctx context.Context, conn *agent.Conn) error {
					return agent.Answer(ctx, conn, func(_ context.Context, s verify.Spec) (*verify.Result, error) {
						counted := slices.ContainsFunc(s.Targets, func(t verify.Target) bool { return t.Attempts > 0 })
						patient := s.AttemptTimeout == probe.MaxTimeout
						if counted {
							looks++
						}
						r := &verify.Result{}
						for _, t := range s.Targets {
							one := verify.TargetResult{ID: t.ID, FirstOK: 1, Complete: 1, Errors: map[string]int64{}}
							switch {
							case len(t.Want) == 0:
								one.Errors[errkind.Refused] = 3
							case counted:
								one.Attempts = 80
								one.Answers = map[netip.Addr]int64{t.Want[0]: 36, t.Want[1]: 36}
								if !patient || test.always {
									one.Errors[test.kind] = 8
								}
							}
							r.Targets = append(r.Targets, one)
						}
						return r, nil
					})
				}
			}}
			_, data, _ := measure(t.Context(), t, p, &recorder{}, s)
			trial := data.Trials[0]
			if looks != test.looks || trial.Error != test.say {
				t.Errorf("%d looks, want %d; error %q, want %q", looks, test.looks, trial.Error, test.say)
			}
			complaints := slices.DeleteFunc(slices.Clone(trial.Warnings), func(w results.Warning) bool {
				return !strings.Contains(w.Message, "40 of 400 connections to Services had no answer within 200ms")
			})
			if len(complaints) != test.complaints {
				t.Errorf("warnings %+v", trial.Warnings)
			}
		})
	}
}

// A trial that ends before all has been looked at is none in which Services did
// what they should.
func TestHalfACheckIsNone(t *testing.T) {
	s := parse(t, "half", "population: {services: 5}\nmodes: [nftables]\nblocks: 1\nmeasure: [coldstart]\n")
	p := &fakeProvider{prepare: func(c *fakeCluster) {
		c.launcher[verify.Name] = func(ctx context.Context, conn *agent.Conn) error {
			return agent.Answer(ctx, conn, func(_ context.Context, s verify.Spec) (*verify.Result, error) {
				r := &verify.Result{}
				silent := true
				for _, t := range s.Targets {
					one := verify.TargetResult{ID: t.ID, FirstOK: 1, Complete: 1, Errors: map[string]int64{}}
					if len(t.Want) == 0 {
						one.Errors[errkind.Timeout] = 3
					}
					silent = silent && len(t.Want) == 0
					r.Targets = append(r.Targets, one)
				}
				if silent { // the second look at Services without endpoints
					return nil, errors.New("no sockets left")
				}
				return r, nil
			})
		}
	}}
	_, data, _ := measure(t.Context(), t, p, &recorder{}, s)
	if trial := data.Trials[0]; trial.Status != results.Failed || trial.Correct != nil || !strings.Contains(trial.Error, "no sockets left") {
		t.Errorf("%s (%s), correct: %+v", trial.Status, trial.Error, trial.Correct)
	}
}

// Every verification speaks the protocol of the population.
func TestRunSpeaksTheProtocol(t *testing.T) {
	p := &fakeProvider{}
	spoken := map[agent.Protocol]int{}
	p.prepare = func(c *fakeCluster) {
		c.launcher[verify.Name] = func(ctx context.Context, conn *agent.Conn) error {
			return agent.Answer(ctx, conn, func(_ context.Context, s verify.Spec) (*verify.Result, error) {
				spoken[s.Protocol]++
				r := &verify.Result{}
				for _, t := range s.Targets {
					r.Targets = append(r.Targets, verify.TargetResult{ID: t.ID, FirstOK: 1, Complete: 1})
				}
				return r, nil
			})
		}
	}
	s := parse(t, "datagrams", "population: {services: 5, protocol: UDP}\nmodes: [iptables]\nblocks: 1\nmeasure: [coldstart]\n")
	if _, _, err := measure(t.Context(), t, p, &recorder{}, s); err != nil {
		t.Fatal(err)
	}
	if spoken[agent.UDP] != 4 || len(spoken) != 1 { // reach pods, cold start, correct, intact
		t.Errorf("spoken: %v", spoken)
	}
}
