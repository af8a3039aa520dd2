package reports

import (
	"slices"
	"strings"
	"testing"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// formats draws a summary for people in every way.
func formats(t *testing.T, s *Summary) map[string]string {
	t.Helper()
	return map[string]string{
		"HTML": string(draw(t, s.WriteHTML)), "Markdown": string(draw(t, s.WriteMarkdown)), "text": string(draw(t, s.WriteText)),
	}
}

// TestVariants checks that what a mode was set up as is named wherever people
// read the mode, and is a field of its own for programs.
func TestVariants(t *testing.T) {
	data := synthetic{
		modes: []string{"iptables", "ebpf"}, points: []int{100, 1000}, blocks: 6, samples: 50, variants: map[string]string{"ebpf": "tc"},
	}.run(t)
	data.Trials[1].Warnings = []results.Warning{{Metric: "connect", Message: "a doubt"}}
	data.Trials[3].Missing = []results.Missing{{Metric: "proxy.sync", Because: "no answer"}}
	data.Trials[5].Status, data.Trials[5].Error = results.Failed, "it ended"
	s := summarize(t, data, Options{})
	if r := findRow(s.Rows, "quick", results.Point{Services: 100, Endpoints: 2}, "ebpf", "path.p50"); r == nil || r.Variant != "tc" || r.Verdict == NotComparable {
		t.Errorf("path.p50 of ebpf: %+v", r)
	}
	for format, text := range formats(t, s) {
		if !strings.Contains(text, "ebpf (tc)") {
			t.Errorf("%s does not name the variant", format)
		}
		for _, stray := range strings.Split(text, "ebpf")[1:] {
			// Trials, a configuration, and the method name it in other ways.
			known := func(way string) bool { return strings.HasPrefix(stray, way) }
			if !slices.ContainsFunc([]string{" (tc)", "-tc", "\n", ", which"}, known) {
				t.Errorf("%s names ebpf without the variant: ...ebpf%.40s...", format, stray)
			}
		}
	}
	if title := s.title(); title != "Kubernetes Service modes compared: iptables and ebpf (tc)" {
		t.Errorf("title %q", title)
	}
}

// TestTwoVariants checks that scenarios may differ in the variant of a mode,
// and trials of one scenario may not.
func TestTwoVariants(t *testing.T) {
	run := synthetic{modes: []string{"iptables", "ebpf"}, points: []int{100}, blocks: 2, samples: 50, small: true, variants: map[string]string{"ebpf": "tc"}}
	data := run.run(t)
	run.variants = map[string]string{"ebpf": "socket"}
	for _, trial := range run.run(t).Trials {
		trial.ID, trial.Scenario = "s-"+trial.ID, "socket"
		data.Trials = append(data.Trials, trial)
	}
	s := summarize(t, data, Options{})
	if want := "Kubernetes Service modes compared: iptables, ebpf (tc) and ebpf (socket)"; s.title() != want {
		t.Errorf("title %q, want %q", s.title(), want)
	}
	var setups []string
	for _, p := range s.analysis.proxies() {
		setups = append(setups, p.Mode)
	}
	if want := []string{"iptables", "ebpf (tc)", "ebpf (socket)"}; !slices.Equal(setups, want) {
		t.Errorf("set-ups %q, want %q", setups, want)
	}
	data.Trials[len(data.Trials)-1].Scenario = "quick"
	data.Trials[len(data.Trials)-1].Block = 9
	if _, err := Summarize(data, Options{}); failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), "ebpf (socket)") {
		t.Errorf("two variants in one scenario: %v", err)
	}
}

// TestUnlike checks that numbers of different things are never judged, whichever
// of them is the baseline.
func TestUnlike(t *testing.T) {
	at := results.Point{Services: 100, Endpoints: 2}
	for variant, metrics := range map[string]map[string]bool{ // whether they compare
		"tc":     {"rules.count": false, "proxy.sync.coldstart": false, "proxy.cpu.seconds": true, "path.p50": true, "path.first.p50": true},
		"socket": {"path.p50": false, "path.first.p50": false, "connect.p50": true, "connect.syscall.p50": true},
	} {
		data := synthetic{
			modes: []string{"iptables", "nftables", "ebpf"}, points: []int{100}, blocks: 6, samples: 60, variants: map[string]string{"ebpf": variant},
		}.run(t)
		for baseline, other := range map[string]string{"iptables": "ebpf", "ebpf": "iptables"} {
			s := summarize(t, data, Options{Baseline: baseline})
			for metric, comparable := range metrics {
				r := findRow(s.Rows, "quick", at, other, metric)
				if r == nil || r.Ratio.Known() != comparable {
					t.Errorf("%s of %s (%s) against %s: %+v", metric, other, variant, baseline, r)
				} else if !comparable && (r.Verdict == Better || r.Verdict == Worse || len(r.Warnings) == 0) {
					t.Errorf("%s is judged without a reason: %+v", metric, r)
				}
				r = findRow(s.Rows, "quick", at, "nftables", metric)
				if baseline == "iptables" && (r == nil || !r.Ratio.Known()) {
					t.Errorf("%s of nftables against iptables: %+v", metric, r)
				}
			}
		}
	}
}

// TestInstructionClock checks that times of a virtual machine are never taken
// for others.
func TestInstructionClock(t *testing.T) {
	data := synthetic{modes: twoModes, points: []int{100}, blocks: 1, samples: 50, small: true}.run(t)
	for format, text := range formats(t, summarize(t, data, Options{})) {
		if strings.Contains(strings.ToLower(text), "instruction clock") {
			t.Errorf("%s of a run with the wall clock speaks of the instruction clock", format)
		}
	}
	data.Environment.Facts = map[string]string{results.FactVM: "debian-6.1 (linux-image 6.1.0)", results.FactClock: "instructions", results.FactAccel: "tcg"}
	s := summarize(t, data, Options{})
	for format, text := range formats(t, s) {
		if i := strings.Index(text, "Instruction clock: times count"); i < 0 || i > strings.Index(text, "At 100") {
			t.Errorf("%s does not begin with the instruction clock", format)
		}
	}
	if json := string(draw(t, s.WriteJSON)); !strings.Contains(json, `"clock": "instructions"`) {
		t.Error("the JSON does not name the clock")
	}
	data.Trials[1].Clock = results.WallClock
	if _, err := Summarize(data, Options{}); failure.CodeOf(err) != failure.Invalid {
		t.Errorf("two clocks in one run: %v", err)
	}
}

// TestCorrectness checks what is said of correctness, from the records.
func TestCorrectness(t *testing.T) {
	data := synthetic{
		modes: []string{"iptables", "ebpf"}, points: []int{100}, blocks: 2, samples: 50, small: true, variants: map[string]string{"ebpf": "tc"},
	}.run(t)
	s := summarize(t, data, Options{})
	const well = "Correctness was checked before measuring in 4 of 4 trials: every one of 23 sampled Services reached all of its endpoints and no other, " +
		"Services without endpoints refused (iptables) or stayed silent (ebpf (tc)) and endpoints were balanced."
	for format, text := range formats(t, s) {
		if !strings.Contains(text, well) {
			t.Errorf("%s does not say %q", format, well)
		}
	}
	if s.Trials.Checked != 4 || s.Trials.Incorrect != 0 {
		t.Errorf("counted %+v", s.Trials)
	}
	wrong := data.Trials[3]
	wrong.Status, wrong.Error = results.Failed, "correct: Service s was answered by 10.0.0.9"
	wrong.Correct.Wrong, wrong.Correct.Problem = 3, "Service s was answered by 10.0.0.9"
	data.Trials[0].Correct = nil
	s = summarize(t, data, Options{})
	for format, text := range formats(t, s) {
		if !strings.Contains(text, "Services did not do what they should in 1 trial (ebpf (tc)).") {
			t.Errorf("%s does not warn", format)
		}
		if !strings.Contains(text, "in 3 of 4 trials; in 2 of them every one of 23 sampled Services") {
			t.Errorf("%s counts wrongly", format)
		}
	}
	text := string(draw(t, s.WriteHTML))
	if i := strings.Index(text, "block 2: Service s was answered by 10.0.0.9"); i < 0 || i > strings.Index(text, "trials planned, ") {
		t.Error("what is wrong does not come first")
	}
	for _, trial := range data.Trials {
		trial.Correct = nil
	}
	if text := summarize(t, data, Options{}).correctText(); text != "" {
		t.Errorf("a run without records says %q", text)
	}
}
