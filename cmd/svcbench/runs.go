package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// runRow is one item of "svcbench list runs -o json".
type runRow struct {
	ID        string    `json:"id"`
	Dir       string    `json:"dir"`
	Started   time.Time `json:"started"`
	Scenarios []string  `json:"scenarios"`
	Planned   int       `json:"planned"`
	Complete  int       `json:"complete"`
	State     string    `json:"state"`
}

func newListRuns(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the runs in the folder of runs, the oldest first",
		Args:  noArguments,
	}
	output := addOutput(cmd, "text", "json")
	out := addOut(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		rows, err := listRuns(streams, *out)
		if err != nil {
			return err
		}
		if output.value == "json" {
			return writeJSON(streams.Out, rows)
		}
		w := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "RUN\tSTARTED\tSCENARIOS\tTRIALS\tSTATE")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d of %d\t%s\n", r.ID, r.Started.Local().Format("2006-01-02 15:04"),
				strings.Join(r.Scenarios, ","), r.Complete, r.Planned, r.State)
		}
		return w.Flush()
	}
	return cmd
}

// listRuns reads the runs below a folder. What is no run is passed over; what
// is one and cannot be read is told.
func listRuns(streams Streams, root string) ([]runRow, error) {
	entries, err := os.ReadDir(root)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, failure.New(failure.Usage, fmt.Errorf("list runs: %s is not a folder", root), "name another one with --out")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, failure.New(failure.Environment, fmt.Errorf("list runs: %w", err), "name another folder with --out")
	}
	rows := []runRow{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // none yet
			continue
		}
		data, err := results.Open(filepath.Join(root, e.Name()))
		if failure.CodeOf(err) == failure.Usage && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
			continue
		}
		if err != nil {
			fmt.Fprintf(streams.Err, "! %v\n", err)
			continue
		}
		rows = append(rows, newRunRow(data))
	}
	return rows, nil
}

func newRunRow(d *results.Data) runRow {
	r := runRow{ID: d.Run.ID, Dir: d.Dir, Started: d.Run.Started, Planned: len(d.Run.Plan), State: "finished"}
	for _, s := range d.Run.Scenarios {
		r.Scenarios = append(r.Scenarios, s.Name)
	}
	for _, t := range d.Trials {
		if t.Status == results.Complete {
			r.Complete++
		}
	}
	switch {
	case d.Run.Interrupted != "":
		r.State = "ended early: " + d.Run.Interrupted
	case d.Run.Finished.IsZero():
		r.State = "under way, or killed"
	}
	return r
}

// completeRuns completes the names of runs.
func completeRuns(root *string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := []cobra.Completion{latestRun}
		entries, _ := os.ReadDir(*root) // no folder, no runs
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
		return names, cobra.ShellCompDirectiveFilterDirs
	}
}
