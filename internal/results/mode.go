package results

// ModeName is how people read a mode: with its variant, if it has one, as in
// "ebpf (tc)". Trials of one scenario and mode are all of one variant.
func ModeName(mode, variant string) string {
	if variant == "" {
		return mode
	}
	return mode + " (" + variant + ")"
}
