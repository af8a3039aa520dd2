package nodeimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"svcbench/internal/failure"
)

// AgentPath is where svcbench is in the image of agents.
const AgentPath = "/usr/local/bin/svcbench"

// BuildAgents returns the image of agents, which holds a program and nothing else,
// and makes it if it is not there. It needs no other Options than the folder.
func BuildAgents(ctx context.Context, o Options, program string) (Image, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return Image{}, fmt.Errorf("image of agents: %w", err)
	}
	if err := static(text); err != nil {
		return Image{}, failure.New(failure.Environment, fmt.Errorf("%s cannot run in a container: %w", program, err), "build it with CGO_ENABLED=0, as `make build` does")
	}
	sum := sha256.Sum256(text)
	tag := hex.EncodeToString(sum[:])[:12]
	i := Image{Ref: "svcbench/agents:" + tag, Path: filepath.Join(o.Dir, "agents-"+tag+".tar")}
	return i, o.make(ctx, i, func(b *builder, _ context.Context, i Image) error { return b.agents(i, program) })
}

// agents writes the image of agents.
func (b *builder) agents(i Image, program string) error {
	file := filepath.Join(b.work, "files.tar")
	l, err := newLayer(file)
	if err != nil {
		return err
	}
	l.copy(strings.TrimPrefix(AgentPath, "/"), 0o755, program)
	if err := l.close(); err != nil {
		return err
	}
	image, err := compose(v1.Config{Env: []string{searchPath}, Entrypoint: []string{AgentPath}}, file)
	if err != nil {
		return err
	}
	return b.write(i, image, "agents-*.tar")
}

// static returns an error for a program that needs libraries to run.
func static(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked against libraries of this machine")
		}
	}
	return nil
}
