package reports

import (
	"strings"
	"testing"

	"svcbench/internal/failure"
)

// An objective is missed where the interval reaches the limit, and where there is no
// such number.
func TestObjectives(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100, 5000}, blocks: 10, samples: 400, small: true}.run(t)
	with := func(slo string) *Summary {
		data.Run.Scenarios[0].YAML = "apiVersion: svcbench/v1alpha1\nkind: Scenario\nname: quick\ntitle: A first look\npoints: {services: [100, 5000]}\nmeasure: [coldstart, proxy]\nslo: [" + slo + "]\n"
		return summarize(t, data, Options{})
	}
	if s := with("coldstart.sync < 1h, proxy.rss.max < 1GiB"); len(s.Missed) != 0 || s.Met() != nil {
		t.Errorf("missed %+v", s.Missed)
	}
	s := with("path.p50 < 20us, nothing.p50 < 1s")
	if failure.CodeOf(s.Met()) != failure.Regression {
		t.Errorf("met: %v", s.Met())
	}
	// iptables is above 20 us at 5,000 Services alone; the other number is nowhere.
	if len(s.Missed) != 5 || s.Missed[0].Mode != "iptables" || s.Missed[0].Point.Services != 5000 || s.Missed[0].Found == "" || s.Missed[1].Found != "" {
		t.Errorf("missed %+v", s.Missed)
	}
	for name, text := range formats(t, s) {
		if !strings.Contains(text, "nothing.p50") {
			t.Errorf("%s does not say what was missed", name)
		}
	}
}
