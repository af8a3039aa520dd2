package runners

import (
	"fmt"
	"net/netip"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"svcbench/internal/agent/verify"
	"svcbench/internal/results"
)

const (
	// falseAlarm is the probability with which a trial is called unbalanced
	// that is not: what fails this test always meets the same endpoint, or
	// some endpoints far too often.
	falseAlarm = 1e-6
	// expected is how many connections there must be at least for each cell
	// that is counted: with few, chi-square is no good approximation so far
	// from its middle. Where a Service has more endpoints than that allows,
	// a cell is several of them.
	expected = 10
)

// testBalance tests whether the connections to each Service were spread over
// its endpoints as by chance or more evenly, for all Services together and for
// each alone. It returns nil where no Service had enough connections and
// endpoints to tell. That they were not is an error.
func testBalance(targets []verify.Target, r *verify.Result) (*results.Balance, error) {
	b := &results.Balance{Least: 1}
	tests, worst := 0, 0
	for i, t := range r.Targets {
		chi, degrees, connections := chiSquare(cells(targets[i].Want, t.Answers))
		if degrees == 0 {
			continue
		}
		tests++
		b.Connections += connections
		b.Degrees += degrees
		b.ChiSquare += chi
		if p := survival(chi, degrees); p <= b.Least {
			b.Least, worst = p, i
		}
	}
	if tests == 0 {
		return nil, nil
	}
	b.P = survival(b.ChiSquare, b.Degrees)
	// Each of several tests gets its share of the false alarms.
	if limit := falseAlarm / float64(tests+1); b.P < limit || b.Least < limit {
		t := targets[worst]
		return b, fmt.Errorf("the endpoints of Services are not met equally often: %s (%v) led so many connections to each: %s (by chance with probability %.0e; %.0e over all Services)",
			t.ID, t.Addr, numbers(t.Want, r.Targets[worst].Answers), b.Least, b.P)
	}
	return b, nil
}

// survival is the probability of a chi-square of at least chi by chance.
func survival(chi float64, degrees int) float64 {
	return distuv.ChiSquared{K: float64(degrees)}.Survival(chi)
}

// cell is some endpoints of a Service and how many connections they got.
type cell struct {
	endpoints int
	count     int64
}

// cells divides the endpoints, in their order, into as many groups of nearly
// one size as the connections allow.
func cells(endpoints []netip.Addr, answers map[netip.Addr]int64) []cell {
	var total int64
	for _, n := range answers {
		total += n
	}
	k := min(len(endpoints), int(total/expected))
	if k < 2 {
		return nil
	}
	divided := make([]cell, k)
	for i, ip := range endpoints {
		c := &divided[i*k/len(endpoints)]
		c.endpoints++
		c.count += answers[ip]
	}
	return divided
}

// chiSquare is Pearson's statistic of the hypothesis that every endpoint is met
// with the same probability. There are no degrees of freedom without cells.
func chiSquare(cs []cell) (chi float64, degrees int, connections int64) {
	endpoints := 0
	for _, c := range cs {
		endpoints += c.endpoints
		connections += c.count
	}
	for _, c := range cs {
		want := float64(connections) * float64(c.endpoints) / float64(endpoints)
		chi += (float64(c.count) - want) * (float64(c.count) - want) / want
	}
	return chi, max(0, len(cs)-1), connections
}

// numbers lists how often each endpoint was met, the first few of them.
func numbers(endpoints []netip.Addr, answers map[netip.Addr]int64) string {
	const named = 8
	var all []string
	for i, ip := range endpoints {
		if i == named {
			all = append(all, "...")
			break
		}
		all = append(all, fmt.Sprint(answers[ip]))
	}
	return strings.Join(all, ", ")
}
