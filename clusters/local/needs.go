package local

import (
	"context"

	"svcbench/clusters"
	"svcbench/clusters/modes"
	"svcbench/internal/process"
)

// Need says whether this machine has one thing that a mode needs beside what
// is in its name.
type Need struct {
	// ID is short and stable, Title names it.
	ID, Title string
	Answer    clusters.Answer
	// Text says what was found, or why the answer is not clusters.Yes.
	Text string
}

// Needs finds out by trying. It returns what it has when ctx ends.
func Needs(ctx context.Context) []Need {
	launcher := process.NewLauncher()
	defer launcher.Close()
	// None of it has to do with networks: the machine itself is the node.
	node := &place{cluster: &cluster{launcher: launcher}, at: clusters.AtNode}
	var all []Need
	for _, n := range modes.Needs() {
		if ctx.Err() != nil {
			break
		}
		answer, text := n.Try(ctx, node)
		all = append(all, Need{ID: n.ID, Title: n.Title, Answer: answer, Text: text})
	}
	return all
}
