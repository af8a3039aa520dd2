package reports

import (
	"slices"
	"strings"
	"testing"

	"svcbench/internal/results"
)

// A mode that is measured twice shows how much is noise, and is in no finding beside
// itself.
func TestControl(t *testing.T) {
	data := synthetic{modes: []string{"iptables", results.Again("iptables"), "nftables"}, points: []int{100, 1000}, blocks: 10, samples: 400, small: true}.run(t)
	s := summarize(t, data, Options{})
	at := slices.IndexFunc(s.Findings, func(f Finding) bool {
		return strings.HasPrefix(f.Text, "Noise: iptables measured twice differs by up to ")
	})
	if at < 0 {
		t.Fatalf("findings %+v", s.Findings)
	}
	if text := s.Findings[at].Text; !strings.Contains(text, " contain 1 (") || !strings.Contains(text, "1,000 Services") && !strings.Contains(text, "100 Services") {
		t.Errorf("noise: %s", text)
	}
	for i, f := range s.Findings {
		if i != at && strings.Contains(f.Text, "again") {
			t.Errorf("the control is in the finding %q", f.Text)
		}
	}
	if page := string(draw(t, s.WriteHTML)); !strings.Contains(page, "iptables again") {
		t.Error("the control is in no table")
	}
}

// With one mode alone there is a control and nothing to compare.
func TestControlAlone(t *testing.T) {
	data := synthetic{modes: []string{"iptables", results.Again("iptables")}, points: []int{100}, blocks: 10, samples: 400, small: true}.run(t)
	s := summarize(t, data, Options{})
	var noise, single bool
	for _, f := range s.Findings {
		noise = noise || strings.HasPrefix(f.Text, "Noise: ")
		single = single || strings.Contains(f.Text, "Only one mode was measured")
		if strings.Contains(f.Text, "again") {
			t.Errorf("finding %q", f.Text)
		}
	}
	if !noise || !single {
		t.Errorf("findings %+v", s.Findings)
	}
}
