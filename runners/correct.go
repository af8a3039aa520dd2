package runners

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
	"svcbench/internal/agent/verify"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

const (
	// correctConnections is how many connections all sampled Services get
	// together, unless they have so few endpoints that correctEach suffice.
	correctConnections = 1000
	// correctEach is how many connections there are at most for an endpoint.
	correctEach = 100
	// correctLeast is how many connections a Service gets at least.
	correctLeast = 10
	// correctRate is how many are made a second. Nothing is measured yet.
	correctRate = 4000
	// correctParallel leaves room for others beside those to Services without
	// endpoints, which may all hear nothing.
	correctParallel = 256
	// patientRate is how many are made a second when the machine was too busy
	// to answer that many in time.
	patientRate = 500
	// correctTimeout is how long it may take.
	correctTimeout = 30 * time.Second
	// refusalEvery and patience are how often and how many times Services
	// without endpoints are asked again before they are called silent.
	refusalEvery = 300 * time.Millisecond
	patience     = 4
	// unanswered is the share of connections that may get no answer: the
	// machine is busy, and a packet may be lost.
	unanswered = 0.01
)

// verifyCorrect makes sure, before anything is measured, that sampled Services
// lead to their own endpoints and to nobody else and balance over them, and
// that Services without endpoints refuse. How fast something wrong is does not
// matter.
func verifyCorrect(ctx context.Context, f *inFlight) (err error) {
	targets := f.serviceTargets(f.sample())
	each := correctAttempts(len(targets), f.population.Endpoints())
	for i := range targets {
		targets[i].Attempts = each
	}
	targets = append(targets, f.emptyTargets(0)...)
	found, result, err := f.checkServices(ctx, targets)
	if err != nil {
		return err
	}
	found.Endpoints = f.seen()
	defer func() {
		if err == nil || found.Problem != "" { // else nothing was found out
			f.record.Correct = found
		}
	}()
	if err := judge(targets, result, found); err != nil {
		return incorrect(found, err)
	}
	if err := f.describeEmpty(ctx, found); err != nil {
		return err
	}
	if why := f.prefers(); why != "" {
		f.note("balance was not tested: %s", why)
		return nil
	}
	balance, err := testBalance(targets, result)
	found.Balance = balance
	return incorrect(found, err)
}

// checkServices connects to each of the targets, and counts. A busy machine may
// stop everything for longer than a connection has time, which is no fault of
// the mode: when too many were not answered in time, and nothing else is wrong,
// it connects again, more slowly and more patiently, and what is found then
// counts.
func (f *inFlight) checkServices(ctx context.Context, targets []verify.Target) (*results.Correct, *verify.Result, error) {
	each := time.Duration(len(targets)) * time.Second
	result, err := f.check(ctx, targets, each/correctRate, verify.DefaultAttemptTimeout)
	if err != nil {
		return nil, nil, err
	}
	found := count(targets, result)
	if !onlyLate(found) {
		return found, result, nil
	}
	f.warn("", "%d of %d connections to Services had no answer within %v, before anything was measured; they were checked again with a time-out of %v",
		found.Errors[errkind.Timeout], found.Connections, verify.DefaultAttemptTimeout, probe.MaxTimeout)
	if result, err = f.check(ctx, targets, each/patientRate, probe.MaxTimeout); err != nil {
		return nil, nil, err
	}
	return count(targets, result), result, nil
}

// onlyLate reports whether too many connections timed out, and all else was well.
func onlyLate(found *results.Correct) bool {
	return found.Wrong == 0 && len(found.Errors) == 1 && found.Errors[errkind.Timeout] > 0 && tooMany(found)
}

// tooMany reports whether more connections to Services than may be were not
// answered.
func tooMany(found *results.Correct) bool {
	return float64(unansweredOf(found)) > unanswered*float64(found.Connections)
}

func unansweredOf(found *results.Correct) (n int64) {
	for _, of := range found.Errors {
		n += of
	}
	return n
}

// emptyTargets are the Services without endpoints, each with that many
// connections at least.
func (f *inFlight) emptyTargets(attempts int) []verify.Target {
	var targets []verify.Target
	for n := range population.EmptyServices {
		targets = append(targets, verify.Target{ID: f.population.EmptyName(n), Addr: f.population.EmptyAddr(n), Attempts: attempts})
	}
	return targets
}

// check connects to each of the targets at that interval. attempt is how long
// an answer may take.
func (f *inFlight) check(ctx context.Context, targets []verify.Target, interval, attempt time.Duration) (*verify.Result, error) {
	return verify.Run(ctx, f.cluster.Place(clusters.AtClient), verify.Spec{
		Targets:        targets,
		Protocol:       f.protocol(),
		Interval:       interval,
		Timeout:        correctTimeout,
		AttemptTimeout: attempt,
		Parallel:       correctParallel,
		Sample:         f.seen(),
	})
}

// describeEmpty notes what becomes of connections to Services without
// endpoints. Linux sends one client but one refusal a second, after the first
// few, and others may have used those up: so silence is looked at for longer
// before it is called that.
func (f *inFlight) describeEmpty(ctx context.Context, found *results.Correct) error {
	if found.Empty[errkind.Timeout] > 0 && len(found.Empty) == 1 {
		targets := f.emptyTargets(patience)
		result, err := f.check(ctx, targets, refusalEvery, verify.DefaultAttemptTimeout)
		if err != nil {
			return err
		}
		again := count(targets, result)
		for kind, n := range again.Empty {
			found.Empty[kind] += n
		}
		found.Wrong += again.Wrong
		if err := judge(targets, result, again); err != nil {
			return incorrect(found, err)
		}
	}
	if text := emptyText(found.Empty); text != "" {
		f.note("connections to Services without endpoints %s", text)
	}
	return nil
}

// incorrect makes err, if it is one, a failure of the implementation that is
// measured.
func incorrect(found *results.Correct, err error) error {
	if err == nil {
		return nil
	}
	found.Problem = err.Error()
	return failure.New(failure.Invalid, err, "the proxy's log in the trial's folder may say why; a mode that does not work is not worth timing")
}

// correctAttempts is how many connections each of the targets gets whose
// Services have so many endpoints.
func correctAttempts(targets, endpoints int) int {
	return min(correctEach*endpoints, max(correctConnections/max(1, targets), correctLeast))
}

// prefers returns why the mode does not spread the connections of one client
// over all endpoints; empty if it does. Some schedulers of IPVS choose by the
// client's or by the Service's address alone, or fill one endpoint before the
// next, or count open connections only, of which there are hardly any where each
// is closed at once. (kube-proxy has mh use the client's port too.)
func (f *inFlight) prefers() string {
	s := f.trial.scenario
	switch {
	case f.trial.mode == scenarios.IPVS && slices.Contains([]string{"sh", "dh", "lblc", "lblcr", "fo", "ovf", "sed", "nq"}, s.IPVS.Scheduler):
		return "the scheduler " + s.IPVS.Scheduler + " may lead one client always to the same endpoint"
	case f.translatesInConnect() && s.Population.Protocol == scenarios.UDP:
		// bpf_sock.c, sock_select_slot
		return "in its data path socket, Cilium chooses the endpoint of a UDP socket by the kernel's number for the socket, and those of one client may have much in common"
	}
	return ""
}

// seen is how many different endpoints of a Service must have answered.
func (f *inFlight) seen() int {
	if f.prefers() != "" {
		return 1
	}
	return seenAtMost
}

// count sums up what verify found of targets.
func count(targets []verify.Target, r *verify.Result) *results.Correct {
	c := &results.Correct{Errors: map[string]int64{}, Empty: map[string]int64{}}
	services := map[netip.Addr]bool{}
	for i, t := range r.Targets {
		to := c.Empty
		if len(targets[i].Want) > 0 {
			to = c.Errors
			// By a pod, which only one of them has: node ports share an address.
			services[targets[i].Want[0]] = true
			c.Connections += t.Attempts
		} else {
			c.EmptyServices++
		}
		for _, n := range t.Wrong {
			c.Wrong += n
		}
		for kind, n := range t.Errors {
			to[kind] += n
		}
	}
	c.Services = len(services)
	return c
}

// judge says which Service does not do what it should, if one does not.
func judge(targets []verify.Target, r *verify.Result, found *results.Correct) error {
	for i, t := range r.Targets {
		if len(t.Wrong) > 0 {
			return wronglyAnswered(targets[i], t)
		}
	}
	for i, t := range r.Targets {
		switch {
		case t.Complete != 0:
		case len(targets[i].Want) == 0:
			return fmt.Errorf("the Service %s (%v), which has no endpoints, neither refused nor ignored %d connections: %s", t.ID, targets[i].Addr, t.Attempts, kinds(t.Errors))
		default:
			return fmt.Errorf("the Service %s (%v) was answered by %d of %d endpoints in %d connections (%s)", t.ID, targets[i].Addr, t.Seen, t.Needed, t.Attempts, kinds(t.Errors))
		}
	}
	if tooMany(found) {
		return fmt.Errorf("%d of %d connections to Services got no answer, after all had been programmed: %s", unansweredOf(found), found.Connections, kinds(found.Errors))
	}
	return nil
}

// wronglyAnswered names one endpoint that should not have answered.
func wronglyAnswered(t verify.Target, r verify.TargetResult) error {
	stranger := slices.SortedFunc(maps.Keys(r.Wrong), netip.Addr.Compare)[0]
	if len(t.Want) == 0 {
		return fmt.Errorf("the Service %s (%v) was answered by %v, but it has no endpoints", t.ID, t.Addr, stranger)
	}
	const named = 8
	var own []string
	for i, ip := range t.Want {
		if i == named {
			own = append(own, fmt.Sprintf("and %d more", len(t.Want)-named))
			break
		}
		own = append(own, ip.String())
	}
	return fmt.Errorf("the Service %s (%v) was answered by %v, which is not one of its endpoints %s", t.ID, t.Addr, stranger, strings.Join(own, ", "))
}

// kinds lists counted kinds, such as "3 refused, 1 timeout".
func kinds(counts map[string]int64) string {
	if len(counts) == 0 {
		return "no errors"
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// emptyText says what becomes of connections to Services without endpoints. One
// refusal tells more than many time-outs.
func emptyText(counts map[string]int64) string {
	for _, k := range []struct{ kind, text string }{
		{errkind.Refused, "are refused"},
		{errkind.Unreachable, "are told that there is no way"},
		{errkind.Denied, "are forbidden"},
		{errkind.Timeout, "are dropped without a word"},
	} {
		if counts[k.kind] > 0 {
			return k.text
		}
	}
	return ""
}
