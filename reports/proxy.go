package reports

import (
	"slices"
	"strings"
)

// proxy is how one mode was set up.
type proxy struct {
	// Mode is how people read it.
	Mode    string
	Style   int
	Notes   []string
	Configs []config
	// said are the notes of trials, those that differ in numbers together.
	said [][]string
}

// config is a configuration that trials had in common.
type config struct {
	Title, Text string
	lines       []string
	// differing are the names of the lines that are not the same in all of
	// its trials, such as the path of a file that each trial makes anew.
	differing []string
}

// Differing names the lines that differ between trials.
func (c config) Differing() string { return enumerated(c.differing) }

// fewLines is how many lines of a configuration may differ between trials
// that are shown as one.
const fewLines = 2

// setups returns every mode and variant with a trial, in the order of reports.
func (a *analysis) setups() []Where {
	var all []Where
	for _, t := range a.data.Trials {
		if w := (Where{Mode: t.Mode, Variant: t.Variant}); !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, b Where) int { return compareModes(a.Mode, b.Mode) })
	return all
}

// proxies returns how every mode of the run was set up.
func (a *analysis) proxies() []proxy {
	var all []proxy
	for _, w := range a.setups() {
		p := proxy{Mode: w.label(), Style: a.modeStyle(w.Mode)}
		for _, t := range a.data.Trials {
			if t.Mode != w.Mode || t.Variant != w.Variant {
				continue
			}
			p.addConfig(t.ID, t.ProxyConfig)
			for _, n := range t.Notes {
				p.addNote(n)
			}
		}
		for _, texts := range p.said {
			p.Notes = append(p.Notes, ranged(texts))
		}
		all = append(all, p)
	}
	return all
}

// addConfig joins the configuration of a trial with one that is the same but
// for few lines.
func (p *proxy) addConfig(trial, text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	for i := range p.Configs {
		if differing, ok := compareLines(p.Configs[i].lines, lines); ok {
			for _, name := range differing {
				if !slices.Contains(p.Configs[i].differing, name) {
					p.Configs[i].differing = append(p.Configs[i].differing, name)
				}
			}
			return
		}
	}
	title := "Complete configuration of the proxy"
	if len(p.Configs) > 0 {
		title += ", from trial " + trial + " on"
	}
	p.Configs = append(p.Configs, config{Title: title, Text: text, lines: lines})
}

// compareLines returns the names (what stands before a colon) of the lines in
// which two configurations differ; ok is false if they are too many.
func compareLines(a, b []string) (names []string, ok bool) {
	if len(a) != len(b) {
		return nil, false
	}
	for i := range a {
		if a[i] != b[i] {
			before, _, _ := strings.Cut(a[i], ":")
			names = append(names, strings.TrimSpace(before))
		}
	}
	return names, len(names) <= fewLines
}

// addNote adds the note of a trial to those that say the same with other
// numbers.
func (p *proxy) addNote(note string) {
	for i, texts := range p.said {
		if shape(texts[0]) == shape(note) {
			p.said[i] = append(texts, note)
			return
		}
	}
	p.said = append(p.said, []string{note})
}
