package main

import "fmt"

// drawRun prints where a run is.
func drawRun(streams Streams, dir string) error {
	_, err := fmt.Fprintln(streams.Out, dir)
	return err
}
