package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"svcbench/internal/progress"
	"svcbench/internal/results"
	"svcbench/internal/stats"
	"svcbench/reports"
)

const (
	// mostBlocks is how many blocks there are at most where their number is found.
	mostBlocks = 60
	// defaultWidth is how wide intervals may be then: a difference of that is worth
	// knowing.
	defaultWidth = 0.05
)

// blockCount is the flag --blocks: a number, or "auto" with a width; a pflag.Value.
type blockCount struct {
	n     int
	auto  bool
	width float64
}

// String is part of pflag.Value.
func (b *blockCount) String() string {
	switch {
	case b.auto:
		return fmt.Sprintf("auto:%g%%", 100*b.width)
	case b.n == 0:
		return "0"
	}
	return strconv.Itoa(b.n)
}

// Type is part of pflag.Value.
func (b *blockCount) Type() string { return "n|auto" }

// Set is part of pflag.Value.
func (b *blockCount) Set(text string) error {
	if name, width, given := strings.Cut(text, ":"); name == "auto" {
		*b = blockCount{n: mostBlocks, auto: true, width: defaultWidth}
		if !given {
			return nil
		}
		percent, err := strconv.ParseFloat(strings.TrimSuffix(width, "%"), 64)
		if err != nil || !strings.HasSuffix(width, "%") || percent <= 0 {
			return fmt.Errorf("must be auto and a share, such as auto:5%%")
		}
		b.width = percent / 100
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("must be a number, auto, or auto and a share, such as auto:5%%")
	}
	*b = blockCount{n: n}
	return nil
}

// least is the smallest number of blocks that can be enough.
const least = stats.LeastExact

// enough returns when a run needs no more blocks: when its intervals are narrow enough
// or, if there is one, its time is used up. nil means that their number is given.
func (b blockCount) enough(dir string, budget time.Duration, tell func(string)) func(string, int) (bool, error) {
	if !b.auto && budget == 0 {
		return nil
	}
	begin := time.Now()
	return func(scenario string, blocks int) (bool, error) {
		if spent := time.Since(begin); budget > 0 && spent > budget {
			tell(fmt.Sprintf("%s: %s used up after %s", scenario, progress.Rough(budget), counted(blocks, "block")))
			return true, nil
		}
		if !b.auto || blocks < least {
			return false, nil
		}
		data, err := results.Open(dir)
		if err != nil {
			return false, err
		}
		summary, err := reports.Summarize(data, reports.Options{})
		if err != nil {
			return false, err
		}
		share, metric := summary.Precision(scenario)
		tell(fmt.Sprintf("%s: %s is known to %.1f%% after %s", scenario, cmp.Or(metric, "nothing"), 100*share, counted(blocks, "block")))
		return share <= b.width, nil
	}
}
