package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// watched is how long other programs are observed.
	watched = 400 * time.Millisecond
	// busyShare is the share of one processor from which a program disturbs.
	busyShare = 0.10
	// clockTicks is the unit of CPU time in /proc, fixed for every
	// architecture Go runs on (USER_HZ).
	clockTicks = 100
)

// load looks for other programs that use the processors now. The load average
// alone would still show what ended a minute ago.
func (m *Machine) load(ctx context.Context) Finding {
	before, err := m.cpuTimes()
	if err != nil {
		return unknown(err)
	}
	start := time.Now()
	select {
	case <-ctx.Done():
		return unknown(context.Cause(ctx))
	case <-time.After(watched):
	}
	after, err := m.cpuTimes()
	if err != nil {
		return unknown(err)
	}
	busy := busiest(before, after, time.Since(start))
	average, _ := read(m.Proc, "loadavg") // for information only
	average, _, _ = strings.Cut(average, " ")
	if len(busy) > 0 {
		return warning("end them, or let them finish, before measuring",
			"busy now: %s (load average %s on %d processors)", strings.Join(busy, ", "), average, runtime.NumCPU())
	}
	return okay("nothing else is busy (load average %s)", average)
}

// consumer is the CPU time of a program, in ticks.
type consumer struct {
	name  string
	ticks int64
}

// cpuTimes returns the CPU times of all other processes by their ids.
func (m *Machine) cpuTimes() (map[int]consumer, error) {
	entries, err := os.ReadDir(m.Proc)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	times := map[int]consumer{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		text, err := read(m.Proc, e.Name(), "stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		if p, err := parseStat(text); err == nil {
			times[pid] = p
		}
	}
	return times, nil
}

// parseStat reads the name and the CPU time from /proc/PID/stat (proc(5)).
// The name, in brackets, may itself hold blanks and brackets.
func parseStat(text string) (consumer, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return consumer{}, errors.New("no name in brackets")
	}
	fields := strings.Fields(text[end+1:])
	const user, system = 11, 12 // utime and stime, counted from the state
	if len(fields) <= system {
		return consumer{}, errors.New("too few fields")
	}
	u, err1 := strconv.ParseInt(fields[user], 10, 64)
	s, err2 := strconv.ParseInt(fields[system], 10, 64)
	return consumer{name: text[open+1 : end], ticks: u + s}, errors.Join(err1, err2)
}

// busiest names the programs that used more than busyShare of a processor,
// the worst three first.
func busiest(before, after map[int]consumer, elapsed time.Duration) []string {
	type hog struct {
		pid   int
		name  string
		share float64
	}
	var hogs []hog
	for pid, now := range after {
		then, ok := before[pid]
		if !ok {
			continue
		}
		share := float64(now.ticks-then.ticks) / clockTicks / elapsed.Seconds()
		if share > busyShare {
			hogs = append(hogs, hog{pid, filepath.Base(now.name), share})
		}
	}
	slices.SortFunc(hogs, func(a, b hog) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.pid, b.pid)) })
	var texts []string
	for _, h := range hogs[:min(len(hogs), 3)] {
		texts = append(texts, fmt.Sprintf("%s (%d) %.0f%%", h.name, h.pid, 100*h.share))
	}
	return texts
}
