package modes

import (
	"errors"
	"fmt"
	"os/exec"

	"svcbench/clusters"
)

// refusal turns the failure of a trial into an answer: a program that is
// missing or says no is a no, anything else leaves the question open.
func refusal(err error, what string) (clusters.Answer, string) {
	if errors.Is(err, exec.ErrNotFound) {
		return clusters.No, fmt.Sprintf("a program it needs is not installed: %v", err)
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return clusters.No, fmt.Sprintf("%s: %v", what, err)
	}
	return clusters.Unknown, fmt.Sprintf("it could not be tried: %v", err)
}
