package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"svcbench/internal/failure"
)

// State says whether a component can be run.
type State string

// The states.
const (
	// Ready means that it can be run as it is.
	Ready State = "ready"
	// Missing means that it is not there.
	Missing State = "missing"
	// Stale means that it was built from something else, or in another way,
	// than this svcbench does, and will be built again.
	Stale State = "stale"
)

// Source says where a component comes from.
type Source string

// The sources.
const (
	// Built components are built by svcbench at their pinned version.
	Built Source = "built"
	// Given components were on the machine; see Store.UseDir.
	Given Source = "given"
)

// Status is what is known about a component on this machine.
type Status struct {
	Component
	State  State  `json:"state"`
	Source Source `json:"source"`
	// Path is where the program or the first folder is, or will be.
	Path string `json:"path"`
	// Because says why the component is not ready.
	Because string `json:"because,omitempty"`
	// Warning is what a user should know of a component that is ready, such
	// as a version that is not the pinned one.
	Warning string `json:"warning,omitempty"`
	// Found is the version of the program that is there; empty where there
	// is none or it does not say.
	Found string `json:"found,omitempty"`
	// Size is the size of the program in bytes.
	Size int64 `json:"size,omitempty"`
	// BuiltAt, BuildSeconds, GoVersion and Flags say how the component was
	// built; BuildSeconds is the time its whole module took. They are zero
	// where svcbench has not built it.
	BuiltAt      time.Time `json:"builtAt,omitzero"`
	BuildSeconds float64   `json:"buildSeconds,omitempty"`
	GoVersion    string    `json:"goVersion,omitempty"`
	Flags        string    `json:"flags,omitempty"`
}

// Status tells the state of all components, in the order of All, without
// changing anything. A component that is not ready is no error.
func (s *Store) Status(ctx context.Context) ([]Status, error) {
	var all []Status
	gocmd, _ := s.goCommand() // nil is known to check
	for _, m := range s.modules {
		if s.given != "" {
			for _, c := range m.components() {
				all = append(all, s.givenStatus(ctx, m, c))
			}
			continue
		}
		found, err := s.check(ctx, m, gocmd)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", m, err)
		}
		for _, c := range m.components() {
			all = append(all, s.builtStatus(m, c, found))
		}
	}
	return all, context.Cause(ctx)
}

func (s *Store) builtStatus(m module, c Component, found checked) Status {
	return Status{
		Component:    c,
		State:        found.state,
		Source:       Built,
		Path:         filepath.Join(s.dir, m.folder(), m.place(c)),
		Because:      found.because,
		Warning:      found.warning,
		Found:        found.stamp.Version,
		Size:         found.stamp.Programs[c.Name],
		BuiltAt:      found.stamp.BuiltAt,
		BuildSeconds: found.stamp.Seconds,
		GoVersion:    found.stamp.GoVersion,
		Flags:        strings.Join(found.stamp.Flags, " "),
	}
}

// givenStatus looks at a component in the user's folder.
func (s *Store) givenStatus(ctx context.Context, m module, c Component) Status {
	status := Status{Component: c, State: Missing, Source: Given}
	path, err := filepath.Abs(filepath.Join(s.given, m.place(c)))
	if err != nil {
		status.Because = err.Error()
		return status
	}
	status.Path = path
	if c.Package != "" {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			status.Because = err.Error()
			return status
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			status.Because = path + " is not an executable file"
			return status
		}
		status.Size = info.Size()
	}
	for _, folder := range c.Assets {
		if _, _, err := measure(Beside(path, folder)); err != nil {
			status.Because = fmt.Sprintf("%s needs its folder %s beside it: %v", c.Name, folder, err)
			return status
		}
	}
	if c.Package == "" {
		status.State = Ready
		return status
	}
	status.Found, err = versionOf(ctx, path, c.ask...)
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		status.Because = err.Error()
		return status
	}
	status.State = Ready
	switch {
	case err != nil || status.Found == "":
		status.Warning = fmt.Sprintf("%s does not say its version; svcbench was made for %s", path, c.Version)
	case status.Found != c.Version:
		status.Warning = fmt.Sprintf("%s is %s; svcbench was made for %s", path, status.Found, c.Version)
	}
	return status
}

// givenProgram returns the path of a program in the user's folder.
func (s *Store) givenProgram(ctx context.Context, name string) (string, error) {
	for _, m := range s.modules {
		for _, c := range m.components() {
			if c.Name != name {
				continue
			}
			status := s.givenStatus(ctx, m, c)
			if cause := context.Cause(ctx); cause != nil {
				return "", cause
			}
			if status.State == Ready {
				return status.Path, nil
			}
			what := strings.Join(append([]string{name + " " + c.Version}, c.Assets...), ", ")
			return "", failure.New(failure.Environment, fmt.Errorf("use %s from %s: %s", name, s.given, status.Because),
				fmt.Sprintf("put %s there, or let svcbench build it", what))
		}
	}
	return "", fmt.Errorf("no component is called %q", name) // unreachable: Ensure knows all names
}

// versionPattern finds a semantic version in what programs print.
var versionPattern = regexp.MustCompile(`\bv?([0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)`)

// versionOf runs a program with what makes it print its version, --version if
// nothing is said, and returns the first version it prints, with a leading v, or
// the empty string. The error is an exec.ExitError where the program ran but
// failed.
func versionOf(ctx context.Context, path string, ask ...string) (string, error) {
	if len(ask) == 0 {
		ask = []string{"--version"}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, ask...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", path, strings.Join(ask, " "), err)
	}
	found := versionPattern.FindSubmatch(out)
	if found == nil {
		return "", nil
	}
	return "v" + string(found[1]), nil
}
