package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"svcbench/clusters/kind"
	"svcbench/internal/doctor"
	"svcbench/internal/failure"
)

// kindChecks are the checks of what kind clusters need.
func kindChecks() []doctor.Check {
	return []doctor.Check{
		{ID: "containers", Title: "kind clusters (containers)", Severity: doctor.Advised, Try: engineFinding},
		{ID: "inotify", Title: "inotify", Severity: doctor.Advised, Try: inotifyFinding},
	}
}

func engineFinding(ctx context.Context) doctor.Finding {
	engine, err := kind.Engine(ctx)
	if err != nil {
		return doctor.Finding{Status: doctor.Warning, Detail: err.Error(), Fix: failure.HintOf(err)}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: engine + " answers"}
}

// leastInotify is what every node's systemd, kubelet and containerd use together;
// with less, nodes fail to start and say little of why
// (https://kind.sigs.k8s.io/docs/user/known-issues).
const leastInotify = 512

func inotifyFinding(context.Context) doctor.Finding {
	const key = "fs.inotify.max_user_instances"
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
	if err != nil {
		return doctor.Finding{Status: doctor.Unknown, Detail: err.Error()}
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return doctor.Finding{Status: doctor.Unknown, Detail: fmt.Sprintf("%s: %v", key, err)}
	}
	if limit < leastInotify {
		return doctor.Finding{
			Status: doctor.Warning, Detail: fmt.Sprintf("%d instances for each user; more than two kind nodes may need more", limit),
			Fix: fmt.Sprintf("sysctl -w %s=%d", key, leastInotify),
		}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: fmt.Sprintf("%d instances for each user", limit)}
}
