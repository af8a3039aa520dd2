package reports

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// The names of reports within a run directory.
const (
	HTMLFile     = "report.html"
	MarkdownFile = "report.md"
)

// Write draws the reports of a run into dir; see Summary.Write.
func Write(dir string, data *results.Data, opts Options) ([]string, error) {
	s, err := Summarize(data, opts)
	if err != nil {
		return nil, err
	}
	return s.Write(dir)
}

// Write draws the reports into dir and returns the paths of those for people; beside
// them are the files for other programs. Each replaces an earlier one as a whole or not
// at all.
func (s *Summary) Write(dir string) ([]string, error) {
	var paths []string
	for _, report := range []struct {
		name   string
		write  func(io.Writer) error
		people bool
	}{
		{HTMLFile, s.WriteHTML, true}, {MarkdownFile, s.WriteMarkdown, true},
		{BenchFile, s.WriteBenchfmt, false}, {CSVFile, s.WriteCSV, false}, {OpenMetricsFile, s.WriteOpenMetrics, false},
		{HDRFile, s.WriteHDR, false}, {JUnitFile, s.WriteJUnit, false},
	} {
		path := filepath.Join(dir, report.name)
		if err := replace(path, report.write); err != nil {
			return paths, err
		}
		if report.people {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// replace writes a file beside path and renames it when it is whole.
func replace(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return failure.New(failure.Environment, fmt.Errorf("write %s: %w", path, err), "make the run directory writable")
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
