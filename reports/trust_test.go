package reports

import (
	"strings"
	"testing"

	"svcbench/internal/results"
)

// No ratio rests on a trial that cannot be trusted, and the report begins with it.
func TestUntrusted(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100, 1000}, blocks: 10, samples: 400, small: true}.run(t)
	for _, trial := range data.Trials {
		if trial.Mode == "nftables" && trial.Point.Services == 100 && trial.Block == 3 {
			trial.Checks = []results.Check{
				{Name: "others", Value: 0.9, Limit: 0.1, Unit: "processors", Because: "other programs used the time of 0.9 processors, most of all sh (7)"},
				{Name: "steal", Limit: 0.05, Unit: "processors"},
			}
		}
	}
	s := summarize(t, data, Options{})
	compared := 0
	for _, r := range s.Rows {
		if r.Mode != "nftables" || !judged(r.Metric) {
			continue
		}
		if r.Point.Services == 100 && r.Verdict != NotComparable {
			t.Errorf("%s at 100 Services: %s", r.Metric, r.Verdict)
		}
		if r.Point.Services == 1000 && r.Verdict != "" && r.Verdict != NotComparable {
			compared++
		}
	}
	if compared == 0 {
		t.Error("nothing is compared at the other point")
	}
	page := string(draw(t, s.WriteHTML))
	want := "1 trial cannot be trusted, and with them no comparison of their modes at these points. nftables, block 3: other programs used the time of 0.9 processors"
	if !strings.Contains(page, want) {
		t.Errorf("the report does not say it")
	}
	if text := string(draw(t, s.WriteText)); !strings.Contains(text, "cannot be trusted") {
		t.Error("the text does not say it")
	}
}
