package watch

import (
	"net/netip"
	"testing"
	"time"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/probe"
)

var (
	oldPod = netip.MustParseAddr("10.244.0.1")
	newPod = netip.MustParseAddr("10.244.0.2")
)

// answer is a connection that began at start and ended one later.
func answer(start int64, from netip.Addr) probe.Outcome {
	return probe.Outcome{Start: start, End: start + 1, From: netip.AddrPortFrom(from, 8080)}
}

func silence(start int64) probe.Outcome {
	return probe.Outcome{Start: start, End: start + 5, Failure: errkind.Timeout}
}

func TestObservation(t *testing.T) {
	both := Command{New: []netip.Addr{newPod}, Old: []netip.Addr{oldPod}}
	added := Command{New: both.New}
	removed := Command{Old: both.Old}
	for _, c := range []struct {
		name     string
		command  Command
		outcomes []probe.Outcome
		oldest   int64 // start of a connection still under way at the end
		over     bool
		want     Seen // FirstNew, LastOld and OldSettled
	}{
		{
			name: "replaced", command: both, over: true,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), answer(3, oldPod), answer(4, newPod), answer(13, newPod)},
			want:     Seen{FirstNew: 2, LastOld: 3, OldSettled: 13},
		},
		{
			name: "ended out of order", command: both, over: true,
			outcomes: []probe.Outcome{answer(5, newPod), answer(4, newPod), answer(3, oldPod), answer(2, oldPod), answer(14, newPod)},
			want:     Seen{FirstNew: 4, LastOld: 3, OldSettled: 14},
		},
		{
			name: "old one not settled", command: both,
			outcomes: []probe.Outcome{answer(2, newPod), answer(3, oldPod), answer(4, newPod), answer(12, newPod)},
			want:     Seen{FirstNew: 2, LastOld: 3},
		},
		{
			name: "nobody asked since", command: both,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), answer(3, newPod)},
			want:     Seen{FirstNew: 2, LastOld: 1},
		},
		{
			name: "somebody asked and waits", command: both, oldest: 6,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), answer(3, newPod), answer(12, newPod)},
			want:     Seen{FirstNew: 2, LastOld: 1},
		},
		{
			name: "who waits asked later", command: both, oldest: 13, over: true,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), answer(3, newPod), answer(12, newPod)},
			want:     Seen{FirstNew: 2, LastOld: 1, OldSettled: 12},
		},
		{
			name: "all silent after the first new one", command: both,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), silence(3), silence(20)},
			want:     Seen{FirstNew: 2, LastOld: 1},
		},
		{
			name: "added", command: added, over: true,
			outcomes: []probe.Outcome{silence(1), answer(8, newPod)},
			want:     Seen{FirstNew: 8, OldSettled: 8},
		},
		{
			name: "removed", command: removed, over: true,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, oldPod), silence(3), silence(12)},
			want:     Seen{LastOld: 2, OldSettled: 12},
		},
		{
			name: "another one stays", command: Command{Old: removed.Old, Stay: []netip.Addr{newPod}}, over: true,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), answer(3, oldPod), answer(4, newPod), answer(14, newPod)},
			want:     Seen{LastOld: 3, OldSettled: 13},
		},
		{
			name: "the one that stays is silent too", command: Command{Old: removed.Old, Stay: []netip.Addr{newPod}},
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, newPod), silence(3), silence(20)},
			want:     Seen{LastOld: 1},
		},
		{
			name: "any one beside another that stays", command: Command{AnyNew: true, Stay: []netip.Addr{oldPod}}, over: true,
			outcomes: []probe.Outcome{answer(1, oldPod), answer(2, oldPod), answer(3, newPod)},
			want:     Seen{FirstNew: 3, OldSettled: 3},
		},
		{
			name: "gone dark", command: Command{Old: removed.Old, Stay: []netip.Addr{newPod}, Dark: true}, over: true,
			outcomes: []probe.Outcome{silence(1), answer(2, newPod), silence(4), answer(5, newPod), answer(15, newPod)},
			want:     Seen{LastOld: 4, OldSettled: 14},
		},
		{
			name: "not yet begun to answer", command: removed,
			outcomes: []probe.Outcome{silence(3), silence(20)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.command.Settle, c.command.Timeout = 10, 1000
			o := newObservation(c.command, 0)
			for _, out := range c.outcomes {
				o.add(out)
			}
			const now = 50
			if got := o.over(now, c.oldest); got != c.over {
				t.Errorf("over = %t, want %t", got, c.over)
			}
			check := func(giveUp bool) {
				s := o.seen
				got := Seen{FirstNew: s.FirstNew, LastOld: s.LastOld, OldSettled: s.OldSettled}
				if got.FirstNew != c.want.FirstNew || got.LastOld != c.want.LastOld || got.OldSettled != c.want.OldSettled {
					t.Errorf("seen = %+v, want %+v", got, c.want)
				}
				if over := giveUp || c.over; over != (s.GaveUp != 0) {
					t.Errorf("GaveUp = %d, over %t", s.GaveUp, over)
				}
				if s.Probes != int64(len(c.outcomes)) {
					t.Errorf("Probes = %d, want %d", s.Probes, len(c.outcomes))
				}
			}
			check(false)
			if !c.over {
				if !o.over(1000, c.oldest) {
					t.Error("not over after its time")
				}
				check(true) // censored: nothing is made up
			}
		})
	}
}

func TestStrangersAreCounted(t *testing.T) {
	o := newObservation(Command{New: []netip.Addr{newPod}, Settle: 1, Timeout: 1}, 0)
	o.add(answer(1, netip.MustParseAddr("10.244.9.9")))
	o.add(silence(2))
	if o.seen.Errors[errkind.WrongBackend] != 1 || o.seen.Errors[errkind.Timeout] != 1 || o.seen.FirstNew != 0 {
		t.Errorf("seen = %+v", o.seen)
	}
}

func TestHungConnectionsDoNotBlind(t *testing.T) {
	for _, c := range []struct {
		interval, attempt time.Duration
		want              int
	}{
		{time.Millisecond, 200 * time.Millisecond, 201},
		{time.Second, 200 * time.Millisecond, 1},
		{time.Microsecond, 900 * time.Millisecond, overlap},
	} {
		if got := (Command{Interval: c.interval, AttemptTimeout: c.attempt}).overlap(); got != c.want {
			t.Errorf("overlap of %v in %v = %d, want %d", c.interval, c.attempt, got, c.want)
		}
	}
}

// Where endpoints answer by turns, some time without the old one is no proof.
func TestChanceDoesNotSettle(t *testing.T) {
	c := Command{Old: []netip.Addr{oldPod}, Stay: []netip.Addr{newPod}, Interval: time.Millisecond, Settle: 10 * time.Millisecond, Timeout: time.Hour}
	o := newObservation(c, 0)
	if want := (28 * time.Millisecond).Nanoseconds(); o.settle != want {
		t.Errorf("settled after %d, want %d", o.settle, want)
	}
	o.pace(LongInterval)
	if want := (280 * time.Millisecond).Nanoseconds(); o.settle != want {
		t.Errorf("a long watch is settled after %d, want %d", o.settle, want)
	}
	alone := newObservation(Command{Old: c.Old, New: c.Stay, Interval: time.Millisecond, Settle: 10 * time.Millisecond, Timeout: time.Hour}, 0)
	if want := (10 * time.Millisecond).Nanoseconds(); alone.settle != want {
		t.Errorf("with nobody who stays: settled after %d, want %d", alone.settle, want)
	}
}

// What failed last is told, whether nobody answered or a stranger did.
func TestLastFailed(t *testing.T) {
	o := newObservation(Command{New: []netip.Addr{newPod}, Settle: 1, Timeout: 1}, 0)
	for _, out := range []probe.Outcome{silence(2), answer(5, netip.MustParseAddr("10.244.9.9")), silence(4), answer(7, newPod)} {
		o.add(out)
	}
	if o.seen.LastFailed != 5 {
		t.Errorf("last failed at %d, want 5", o.seen.LastFailed)
	}
}
