package reports

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/results"
	"svcbench/internal/stats"
)

// TestGroupedWarnings checks that warnings of many trials take few lines.
func TestGroupedWarnings(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100, 1000, 5000}, blocks: 2, samples: 50, small: true}.run(t)
	for i, trial := range data.Trials {
		if trial.Point.Services > 100 {
			for _, metric := range []string{"connect", "http.keepalive"} {
				trial.Warnings = append(trial.Warnings, results.Warning{Metric: metric, Message: fmt.Sprintf("%d%% began late", 10+i)})
			}
		}
		if trial.Mode == "nftables" && trial.Block == 2 {
			trial.Missing = []results.Missing{{Metric: "proxy.sync", Because: "no answer"}}
		}
	}
	s := summarize(t, data, Options{})
	want := [][]string{{"connect, http.keepalive", "iptables, nftables at 1,000 and 5,000 Services", "12 to 21% began late"}}
	if diff := cmp.Diff(want, s.warningTable().Rows); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	want = [][]string{{"proxy.sync", "nftables at every size (block 2)", "no answer"}}
	if diff := cmp.Diff(want, s.missingTable().Rows); diff != "" {
		t.Errorf("not measured (-want +got):\n%s", diff)
	}
}

// TestLateRequests checks that a percentile of response times is doubted only
// where most of it is the lag of the load generator.
func TestLateRequests(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100}, blocks: 2, samples: 500}.run(t)
	for _, trial := range data.Trials {
		m := &maker{Rand: rand.New(rand.NewPCG(1, 2)), t: t, speed: 1, trial: trial}
		late := 1.0
		if trial.Mode == "nftables" {
			late = 0.1 // service times all alike, response times with a tail
		}
		m.histogram(results.HTTPKeepAlive+results.ServiceTime, results.ClassAll, 200*microsecond, 0.4*late, 500, 0)
	}
	s := summarize(t, data, Options{})
	if len(s.Warnings) != 1 || s.Warnings[0].Metric != "http.keepalive.p99" || s.Warnings[0].Mode != "nftables" {
		t.Errorf("warnings: %+v", s.Warnings)
	}
	at := results.Point{Services: 100, Endpoints: 2}
	for metric, want := range map[string]bool{"http.keepalive.p50": false, "http.keepalive.p99": true} {
		if r := findRow(s.Rows, "quick", at, "nftables", metric); r == nil || slices.Contains(r.Warnings, lateMessage) != want {
			t.Errorf("%s: %+v", metric, r)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		ratio, lo, hi float64
		want          Verdict
	}{
		{0.5, 0.4, 0.6, Better}, {2, 1.7, 2.5, Worse}, {0.9, 0.8, 1.01, NoDifference}, {3, 0.5, 20, NoDifference},
		{0.96, 0.93, 0.97, Slight}, {1 / 0.96, 1 / 0.97, 1 / 0.93, Slight}, {1, 0.98, 1.02, Equivalent}, {0.97, 0.96, 0.98, Equivalent},
		{1.06, 1.01, 1.1, Worse}, {1 / 1.06, 1 / 1.1, 1 / 1.01, Better},
	} {
		i := stats.Interval{Estimate: test.ratio, Lo: test.lo, Hi: test.hi, N: 10, Method: stats.OrderStatistics}
		if got := verdictOf("connect.p50", i); got != test.want {
			t.Errorf("%v [%v, %v]: %q, want %q", test.ratio, test.lo, test.hi, got, test.want)
		}
		other := map[Verdict]Verdict{Better: Worse, Worse: Better}[test.want]
		if got := verdictOf(results.ConnectSaturation, i); got != other && (other != "" || got != test.want) {
			t.Errorf("%v [%v, %v] of what should be high: %q", test.ratio, test.lo, test.hi, got)
		}
	}
}
