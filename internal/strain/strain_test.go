package strain

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A program that is busy beside us is found, and one of ours is not.
func TestHog(t *testing.T) {
	nobody := func(pid int) bool { return false }
	before, err := Take(nobody)
	if err != nil {
		t.Fatal(err)
	}
	hog := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
	if err := hog.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = hog.Process.Kill()
		_ = hog.Wait()
	}()
	used := func(own func(int) bool) (time.Duration, string) {
		deadline := time.Now().Add(20 * time.Second)
		for {
			after, err := Take(own)
			if err != nil {
				t.Fatal(err)
			}
			r := after.Since(before)
			if r.Elapsed <= 0 || r.Others < 0 || r.Steal < 0 || r.Stall < 0 || r.Step < 0 {
				t.Fatalf("strain %+v", r)
			}
			if after.others[hog.Process.Pid].seconds > 0.2 || time.Now().After(deadline) || own(hog.Process.Pid) {
				return r.Others, r.Worst
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if others, _ := used(nobody); others < 200*time.Millisecond {
		t.Errorf("others used %v", others)
	}
	after, err := Take(Descendants(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := after.others[hog.Process.Pid]; ok {
		t.Error("a child is among the others")
	}
	if _, ok := after.others[os.Getpid()]; ok {
		t.Error("this process is among the others")
	}
}

// Counters are compared process by process: one that has come counts whole, and one
// that has taken the number of another does too.
func TestSince(t *testing.T) {
	before := Sample{at: 0, offset: 100, steal: 1, stall: 10, stalls: true, others: map[int]consumer{
		1: {name: "steady", seconds: 5}, 2: {name: "ended", seconds: 9}, 3: {name: "old", seconds: 50},
	}}
	after := Sample{at: 2e9, offset: 40, steal: 1.5, stall: 30, stalls: true, others: map[int]consumer{
		1: {name: "steady", seconds: 5.25}, 3: {name: "new", start: 1, seconds: 0.5}, 4: {name: "came", seconds: 1},
	}}
	got := after.Since(before)
	want := Strain{
		Elapsed: 2 * time.Second, Others: 1750 * time.Millisecond, Worst: "came (4)", WorstTime: time.Second,
		Steal: 500 * time.Millisecond, Stall: 20 * time.Microsecond, Stalls: true, Step: 60,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got.Add(want)
	if got.Elapsed != 4*time.Second || got.Others != 3500*time.Millisecond || got.WorstTime != time.Second || !strings.HasPrefix(got.Worst, "came") {
		t.Errorf("twice: %+v", got)
	}
}

// What came and ended between two samples counts with whoever waited for it, and what
// had ended by then only with what it used since.
func TestEnded(t *testing.T) {
	before := Sample{others: map[int]consumer{
		1: {name: "init", seconds: 1, children: 100},
		5: {name: "make", parent: 1, seconds: 2, children: 10},
		6: {name: "cc", parent: 5, seconds: 30},
		7: {name: "sh", parent: 1, seconds: 1, children: 2},
		8: {name: "awk", parent: 7, seconds: 4},
		9: {name: "daemon", parent: 1, seconds: 1000},
	}}
	after := Sample{others: map[int]consumer{
		// It waited for the shell, which had waited for awk: 1+2+4 known, 1 new. Nobody
		// was told of the daemon.
		1: {name: "init", seconds: 1, children: 100 + 8},
		// It waited for cc, 30 known and 3 new, and for another that used 4.
		5: {name: "make", parent: 1, seconds: 2.5, children: 10 + 33 + 4},
	}}
	delete(before.others, 9)
	got := after.Since(before)
	if got.Others != 8500*time.Millisecond || got.Worst != "make (5)" || got.WorstTime != 7500*time.Millisecond {
		t.Errorf("got %+v", got)
	}
	before.others[9] = consumer{name: "daemon", parent: 1, seconds: 1000}
	if got := after.Since(before); got.Others != 7500*time.Millisecond {
		t.Errorf("with a daemon for which nobody waited: %+v", got)
	}
}
