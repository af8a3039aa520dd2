package scenarios

import (
	"math"
	"testing"
)

func TestObjective(t *testing.T) {
	for text, want := range map[Objective]struct {
		metric string
		limit  float64
	}{
		"connect.p99 < 2ms":         {"connect.p99", 0.002},
		"programming.add.p50 < 1s":  {"programming.add.p50", 1},
		"path.first.p50 < 1.5us":    {"path.first.p50", 1.5e-6},
		"coldstart.sync < 2m":       {"coldstart.sync", 120},
		"proxy.rss.max < 256MiB":    {"proxy.rss.max", 256 << 20},
		"proxy.written.change < 1B": {"proxy.written.change", 1},
		"rules.count < 10000":       {"rules.count", 10000},
	} {
		if !objectivePattern.MatchString(string(text)) {
			t.Errorf("%s is not allowed", text)
		}
		limit, err := text.Limit()
		if err != nil || math.Abs(limit-want.limit) > 1e-9*want.limit || text.Metric() != want.metric {
			t.Errorf("%s: %s below %v, %v", text, text.Metric(), limit, err)
		}
	}
	for _, text := range []string{"connect.p99 <2ms", "connect.p99 > 2ms", "connect.p99 < fast", "< 2ms", "connect.p99 < -1s", "connect.p99 < 2 ms"} {
		if objectivePattern.MatchString(text) {
			t.Errorf("%s is allowed", text)
		}
	}
}
