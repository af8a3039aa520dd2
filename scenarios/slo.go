package scenarios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Objective is what a number of the scenario should be, in every mode and at every
// point: "connect.p99 < 2ms", "programming.add.p50 < 1s" or "proxy.rss.max < 256MiB".
type Objective string

// objectivePattern lets no other text through.
var objectivePattern = regexp.MustCompile(`^[a-z][a-z0-9.-]* < [0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|B|KiB|MiB|GiB)?$`)

// Metric is the name of the number, with its percentile.
func (o Objective) Metric() string {
	metric, _, _ := strings.Cut(string(o), " < ")
	return metric
}

// Limit is what the number must be below: in seconds, bytes, or as a count.
func (o Objective) Limit() (float64, error) {
	_, text, _ := strings.Cut(string(o), " < ")
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v, nil
	}
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			v, err := strconv.ParseFloat(number, 64)
			return v * float64(int64(1)<<(10*(i+1))), err
		}
	}
	if number, ok := strings.CutSuffix(text, "B"); ok {
		return strconv.ParseFloat(number, 64)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("limit of %q: %w", o, err)
	}
	return d.Seconds(), nil
}
