package results

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// The names within a run directory:
//
//	run.json                    Run
//	environment.json            Environment
//	scenarios/NAME.yaml         ScenarioInfo.YAML, to run it again
//	pilot/                      the run that ChosenRates rest on
//	trials/ID/trial.json        Trial
//	trials/ID/histograms.json   Trial.Histograms
//	trials/ID/series.json       Trial.Series
//	trials/ID/changes.jsonl     Trial.Changes, one a line
//	trials/ID/logs/             what the child processes wrote
//	trials/.ID.tmp/             a trial under way, or one that a crash ended
const (
	runFile         = "run.json"
	environmentFile = "environment.json"
	scenarioFolder  = "scenarios"
	trialFolder     = "trials"
	trialFile       = "trial.json"
	histogramFile   = "histograms.json"
	seriesFile      = "series.json"
	changesFile     = "changes.jsonl"
	// PilotFolder is a run directory inside another one.
	PilotFolder = "pilot"
	// LogFolder is the sub-folder of a trial's folder for the logs of
	// child processes.
	LogFolder = "logs"
)

// TrialDir returns the folder of a stored trial of the run in dir.
func TrialDir(dir, id string) string { return filepath.Join(dir, trialFolder, id) }

func temporaryDir(dir, id string) string {
	return filepath.Join(dir, trialFolder, hidden(id))
}

// hidden names the temporary form of a file or folder. The dot keeps it from
// being taken for the finished one.
func hidden(name string) string { return "." + name + ".tmp" }

// checkName refuses names that would not be one visible path element.
func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("%s has no name", what)
	}
	if strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%s %q cannot be the name of a file", what, name)
	}
	return nil
}

// errTaken means that a run directory already holds something.
var errTaken = errors.New("already has something in it")
