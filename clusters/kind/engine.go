package kind

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"svcbench/internal/failure"
)

// engine is the program that runs containers.
type engine struct {
	name string
	// env is added to its environment; nil where it is this process's anyway.
	env []string
}

// engines are those that kind supports, in the order in which they are tried.
func engines() []string { return []string{"docker", "podman", "nerdctl"} }

// option tells kind to use the engine.
func (e engine) option() kindcluster.ProviderOption {
	switch e.name {
	case "podman":
		return kindcluster.ProviderWithPodman()
	case "nerdctl":
		return kindcluster.ProviderWithNerdctl(e.name)
	default:
		return kindcluster.ProviderWithDocker()
	}
}

// Setup is what is known of a container engine.
type Setup struct {
	// Engine is its name.
	Engine string
	// Runtime is the name of what it starts containers with, and Root the folder of
	// its data; empty where it does not say.
	Runtime, Root string
}

// Examine looks for the container engine that answers here. It starts none.
func Examine(ctx context.Context) (Setup, error) {
	e, err := findEngine(ctx)
	s := Setup{Engine: e.name}
	if err != nil || s.Engine != "docker" {
		return s, err
	}
	out, err := e.run(ctx, "info", "--format={{.DefaultRuntime}} {{.DockerRootDir}}")
	if err != nil {
		return s, err
	}
	s.Runtime, s.Root, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return s, nil
}

// findEngine returns the first engine that answers, or the one that the
// environment asks for as it asks kind.
func findEngine(ctx context.Context) (engine, error) {
	const next = "start Docker, Podman or nerdctl, and then the same command again"
	const variable = "KIND_EXPERIMENTAL_PROVIDER"
	asked := os.Getenv(variable)
	if asked != "" && !slices.Contains(engines(), asked) {
		return engine{}, failure.New(failure.Usage, fmt.Errorf("%s=%s is none of %s", variable, asked, strings.Join(engines(), ", ")), "")
	}
	var silent []string
	for _, name := range engines() {
		if asked != "" && name != asked {
			continue
		}
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		e := engine{name: name}
		limited, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("it takes too long"))
		_, err := e.run(limited, "info")
		cancel()
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return engine{}, context.Cause(ctx)
		}
		silent = append(silent, err.Error())
	}
	if len(silent) == 0 {
		return engine{}, failure.New(failure.Environment, errors.New("no container engine is installed"), next)
	}
	return engine{}, failure.New(failure.Environment, fmt.Errorf("no container engine answers: %s", strings.Join(silent, "; ")), next)
}

// run runs a command of the engine and returns its standard output.
func (e engine) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, e.name, args...)
	cmd.WaitDelay = time.Second
	if e.env != nil {
		cmd.Env = append(os.Environ(), e.env...)
	}
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

// firstLine is the first line of a text.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// socketVariable names the socket of Docker's daemon.
const socketVariable = "DOCKER_HOST"

// reached is the part of the environment that decides which daemon is meant.
func (e engine) reached() []string {
	var env []string
	for _, name := range []string{socketVariable, "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINERD_ADDRESS"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// gone reports whether the daemon had a socket of its own that does not exist any
// more.
func (e engine) gone() bool {
	for _, set := range e.env {
		if path, ok := strings.CutPrefix(set, socketVariable+"=unix://"); ok {
			_, err := os.Stat(path)
			return errors.Is(err, os.ErrNotExist)
		}
	}
	return false
}

// has reports whether the engine has an image.
func (e engine) has(ctx context.Context, image string) bool {
	_, err := e.run(ctx, "image", "inspect", image)
	return err == nil
}

// clusterLabel is by what kind knows the containers of a cluster.
const clusterLabel = "io.x-k8s.kind.cluster"

// containers lists those that a filter matches, running or not.
func (e engine) containers(ctx context.Context, filter string) ([]string, error) {
	out, err := e.run(ctx, "ps", "--all", "--quiet", "--filter", filter)
	return strings.Fields(string(out)), err
}

// removeAll removes containers with their volumes.
func (e engine) removeAll(ctx context.Context, filter string) error {
	ids, err := e.containers(ctx, filter)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = e.run(ctx, append([]string{"rm", "--force", "--volumes"}, ids...)...)
	return err
}

// network returns the identity of the network that kind joins nodes by, which it
// makes where there is none; empty while there is none.
func (e engine) network(ctx context.Context) (string, error) {
	name := cmp.Or(os.Getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"), "kind")
	if e.name == "podman" {
		name = cmp.Or(os.Getenv("KIND_EXPERIMENTAL_PODMAN_NETWORK"), "kind")
	}
	out, err := e.run(ctx, "network", "ls", "--quiet", "--no-trunc", "--filter", "name=^"+name+"$")
	return firstLine(out), err
}

// removeNetwork removes a network, unless there are containers that need it,
// running or not.
func (e engine) removeNetwork(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	ids, err := e.containers(ctx, "network="+id)
	if err != nil || len(ids) > 0 {
		return err
	}
	_, err = e.run(ctx, "network", "rm", id)
	return err
}

// needsRoot is an error for users who may not do something.
func needsRoot(err error) error {
	return failure.New(failure.Environment, err, "run the same command with sudo")
}
