package results

import "strings"

// again marks the mode that is measured a second time as a control.
const again = "-again"

// Again is the name of a mode that is measured a second time in the same run, as an
// A/A control: what differs then is noise.
func Again(mode string) string { return mode + again }

// IsAgain reports whether a mode is the second measurement of another.
func IsAgain(mode string) bool { return strings.HasSuffix(mode, again) }

// BaseMode is what a mode really is: that of which it is a second measurement, or
// itself.
func BaseMode(mode string) string { return strings.TrimSuffix(mode, again) }

// ModeName is how people read a mode: with its variant, if it has one, as in
// "ebpf (tc)". Trials of one scenario and mode are all of one variant.
func ModeName(mode, variant string) string {
	name := BaseMode(mode)
	if variant != "" {
		name += " (" + variant + ")"
	}
	if IsAgain(mode) {
		name += " again"
	}
	return name
}
