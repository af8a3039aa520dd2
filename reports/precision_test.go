package reports

import (
	"math"
	"testing"
)

// More blocks know more; a block alone knows nothing.
func TestPrecision(t *testing.T) {
	last := math.Inf(1)
	for _, blocks := range []int{1, 6, 24} {
		s := summarize(t, synthetic{modes: twoModes, points: []int{100}, blocks: blocks, samples: 400, small: true}.run(t), Options{})
		share, metric := s.Precision("quick")
		if metric != "path.p50" || share < 0 || share >= last && blocks > 1 || math.IsInf(share, 1) != (blocks == 1) {
			t.Errorf("%d blocks: %s to %v, before %v", blocks, metric, share, last)
		}
		last = share
	}
	alone := summarize(t, synthetic{modes: []string{"iptables"}, points: []int{100}, blocks: 10, samples: 400, small: true}.run(t), Options{})
	if share, metric := alone.Precision("quick"); metric != "path.p50" || share <= 0 || share > 0.2 {
		t.Errorf("one mode: %s to %v", metric, share)
	}
	if share, _ := alone.Precision("other"); !math.IsInf(share, 1) {
		t.Errorf("a scenario that is not there: %v", share)
	}
}
