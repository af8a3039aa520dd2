package modes

import (
	"errors"
	"os/exec"
	"strings"

	"svcbench/clusters"
)

// refusal turns the failure of a trial into an answer: a program that is
// missing or says no is a no, anything else leaves the question open. Of what a
// program says the first line is taken: it is the reason, the others are advice.
func refusal(err error, what string) (clusters.Answer, string) {
	reason, _, _ := strings.Cut(err.Error(), "\n")
	if errors.Is(err, exec.ErrNotFound) {
		return clusters.NotInstalled, "a program it needs is not installed: " + reason
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return clusters.No, what + ": " + reason
	}
	return clusters.Unknown, "it could not be tried: " + reason
}
