package verify

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
)

var (
	one   = netip.MustParseAddr("10.244.0.1")
	two   = netip.MustParseAddr("10.244.0.2")
	other = netip.MustParseAddr("10.244.9.9")
)

func by(ip netip.Addr, start, end int64) probe.Outcome {
	return probe.Outcome{Start: start, End: end, From: netip.AddrPortFrom(ip, 8080)}
}

func failed(kind string, start, end int64) probe.Outcome {
	return probe.Outcome{Start: start, End: end, Failure: kind}
}

func TestCheck(t *testing.T) {
	type counts map[string]int64
	for _, test := range []struct {
		name     string
		want     []netip.Addr
		sample   int
		attempts int
		outcomes []probe.Outcome

		firstOK, complete int64
		seen              int
		wrong             map[netip.Addr]int64
		answers           map[netip.Addr]int64
		errors            counts
	}{
		{
			name: "all wanted endpoints must be seen", want: []netip.Addr{one, two},
			outcomes: []probe.Outcome{by(one, 10, 11), by(one, 20, 21), by(two, 30, 31)},
			firstOK:  10, complete: 31, seen: 2,
		}, {
			name: "not seen", want: []netip.Addr{one, two},
			outcomes: []probe.Outcome{by(one, 10, 11), by(other, 20, 21), failed(errkind.Refused, 30, 31)},
			firstOK:  10, seen: 1, wrong: map[netip.Addr]int64{other: 1}, errors: counts{errkind.Refused: 1},
		}, {
			name: "a slow answer dates the first connection back", want: []netip.Addr{one, two},
			outcomes: []probe.Outcome{by(one, 20, 21), by(two, 10, 31)},
			firstOK:  10, complete: 31, seen: 2,
		}, {
			name: "an answer after completion dates it back too", want: []netip.Addr{one},
			outcomes: []probe.Outcome{by(one, 20, 21), by(one, 10, 31)},
			firstOK:  10, complete: 21, seen: 1,
		}, {
			name: "a sample suffices", want: []netip.Addr{one, two}, sample: 1,
			outcomes: []probe.Outcome{by(two, 10, 11)},
			firstOK:  10, complete: 11, seen: 1,
		}, {
			name: "a sample larger than the set", want: []netip.Addr{one, one}, sample: 5,
			outcomes: []probe.Outcome{by(one, 10, 11)},
			firstOK:  10, complete: 11, seen: 1,
		}, {
			name: "so many attempts must be made, and no more are counted", want: []netip.Addr{one, two}, attempts: 4,
			outcomes: []probe.Outcome{by(one, 10, 11), by(two, 20, 21), failed(errkind.Timeout, 30, 31), by(one, 40, 41), by(one, 50, 51)},
			firstOK:  10, complete: 41, seen: 2, answers: map[netip.Addr]int64{one: 2, two: 1}, errors: counts{errkind.Timeout: 1},
		}, {
			name: "enough attempts are not all endpoints", want: []netip.Addr{one, two}, attempts: 1,
			outcomes: []probe.Outcome{by(one, 10, 11), by(other, 20, 21), by(two, 30, 31)},
			firstOK:  10, complete: 31, seen: 2, answers: map[netip.Addr]int64{one: 1}, wrong: map[netip.Addr]int64{other: 1},
		}, {
			name: "three silences in a row",
			outcomes: []probe.Outcome{
				failed(errkind.Refused, 1, 2), by(other, 3, 4),
				failed(errkind.Timeout, 10, 90), failed(errkind.Refused, 20, 91), failed(errkind.Unreachable, 30, 92),
			},
			firstOK: 10, complete: 92, seen: 3, wrong: map[netip.Addr]int64{other: 1},
			errors: counts{errkind.Refused: 2, errkind.Timeout: 1, errkind.Unreachable: 1},
		}, {
			name: "a reset or a failure of the client is no silence",
			outcomes: []probe.Outcome{
				failed(errkind.Refused, 1, 2), failed(errkind.Refused, 3, 4), failed(errkind.Reset, 5, 6),
				failed(errkind.Refused, 7, 8), failed(errkind.Refused, 9, 10), failed(errkind.NoPort, 11, 12),
			},
			errors: counts{errkind.Refused: 4, errkind.Reset: 1, errkind.NoPort: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCheck(Target{Want: test.want, Attempts: test.attempts}, test.sample)
			for _, o := range test.outcomes {
				c.add(o)
			}
			want := c.result
			want.Attempts = int64(len(test.outcomes))
			want.FirstOK, want.Complete, want.Seen = test.firstOK, test.complete, test.seen
			want.Wrong, want.Errors = map[netip.Addr]int64{}, map[string]int64{}
			want.Answers = test.answers
			for k, v := range test.wrong {
				want.Wrong[k] = v
			}
			for k, v := range test.errors {
				want.Errors[k] = v
			}
			if diff := cmp.Diff(want, c.result, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if c.done() != (test.complete != 0) {
				t.Errorf("done = %v", c.done())
			}
		})
	}
}
