package environment

import "runtime/debug"

// build returns the version of svcbench and the commit it was built from.
func (m *machine) build() (version, commit string) {
	version, commit = m.version, m.commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if version == "" {
		version = info.Main.Version
	}
	if commit == "" {
		commit = recorded(info.Settings)
	}
	return version, commit
}

// recorded returns the commit that the Go tool recorded, with "+dirty" if the
// source differed from it; empty if it did not record one.
func recorded(settings []debug.BuildSetting) string {
	var revision, suffix string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "+dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + suffix
}
