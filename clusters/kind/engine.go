package kind

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"svcbench/internal/failure"
)

// engine is the program that runs containers.
type engine struct {
	name   string
	option kindcluster.ProviderOption
}

// engines are those that kind supports, in its order of preference.
func engines() []engine {
	return []engine{
		{"docker", kindcluster.ProviderWithDocker()},
		{"podman", kindcluster.ProviderWithPodman()},
		{"nerdctl", kindcluster.ProviderWithNerdctl("nerdctl")},
	}
}

// Engine returns the name of the container engine that answers here. It starts
// none.
func Engine(ctx context.Context) (string, error) {
	e, err := findEngine(ctx)
	return e.name, err
}

// findEngine returns the first engine that answers, or the one that the
// environment asks for as it asks kind.
func findEngine(ctx context.Context) (engine, error) {
	asked := os.Getenv("KIND_EXPERIMENTAL_PROVIDER")
	var silent []string
	for _, e := range engines() {
		if asked != "" && e.name != asked {
			continue
		}
		if _, err := exec.LookPath(e.name); err != nil {
			continue
		}
		_, err := e.run(ctx, "info")
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return engine{}, context.Cause(ctx)
		}
		silent = append(silent, err.Error())
	}
	const next = "start Docker, Podman or nerdctl, and then the same command again"
	if len(silent) == 0 {
		return engine{}, failure.New(failure.Environment, errors.New("no container engine is installed"), next)
	}
	return engine{}, failure.New(failure.Environment, fmt.Errorf("no container engine answers: %s", strings.Join(silent, "; ")), next)
}

// run runs a command of the engine and returns its standard output.
func (e engine) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, e.name, args...)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s %s: %w: %s", e.name, args[0], err, firstLine(errOut.Bytes()))
	}
	return out.Bytes(), nil
}

// bridge is the network that kind joins nodes by, and makes where there is none.
func bridge() string { return cmp.Or(os.Getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"), "kind") }

// hasBridge reports whether somebody has made it.
func (e engine) hasBridge(ctx context.Context) bool {
	_, err := e.run(ctx, "network", "inspect", bridge())
	return err == nil
}

// firstLine is the first line of a text.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// has reports whether the engine has an image.
func (e engine) has(ctx context.Context, image string) bool {
	_, err := e.run(ctx, "image", "inspect", image)
	return err == nil
}
