package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are what a command reads and writes: results go to Out, talk to Err.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// IsTTY says that Err is a terminal, on which a status line can be
	// redrawn.
	IsTTY bool
	// Width returns the number of columns of Err, 0 if that is not known.
	// It is asked for every line: windows change.
	Width func() int
}

// osStreams are the standard streams of the process.
func osStreams() Streams {
	fd := int(os.Stderr.Fd())
	return Streams{
		In:    os.Stdin,
		Out:   os.Stdout,
		Err:   os.Stderr,
		IsTTY: term.IsTerminal(fd) && os.Getenv("TERM") != "dumb",
		Width: func() int {
			width, _, err := term.GetSize(fd)
			if err != nil {
				return 0
			}
			return width
		},
	}
}
