package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"svcbench/clusters/kind"
	"svcbench/internal/doctor"
	"svcbench/internal/failure"
	"svcbench/internal/ociruntime"
)

// kindChecks are the checks of what kind clusters need.
func kindChecks() []doctor.Check {
	return []doctor.Check{
		{ID: "containers", Title: "kind clusters (containers)", Severity: doctor.Advised, Try: engineFinding},
		{ID: "inotify", Title: "inotify", Severity: doctor.Advised, Try: inotifyFinding},
	}
}

// leastDisk is what the image of nodes and one cluster take, with a reserve.
const leastDisk = 5 << 30

func engineFinding(ctx context.Context) doctor.Finding {
	setup, err := kind.Examine(ctx)
	found := doctor.Finding{Status: doctor.Ok, Detail: setup.Engine + " answers"}
	if err != nil {
		found = doctor.Finding{Status: doctor.Warning, Detail: err.Error(), Fix: failure.HintOf(err)}
	}
	var disk unix.Statfs_t
	here := setup.Root != "" && unix.Statfs(setup.Root, &disk) == nil // else the daemon is on another machine
	if denied, err := ociruntime.Denied(); err == nil && len(denied) > 0 && setup.Runtime != ociruntime.Name && (here || setup.Engine == "") {
		found.Status = doctor.Warning
		found.Detail += fmt.Sprintf("; nobody here may have %s, without which privileged containers, as nodes are, will hardly start", strings.Join(denied, ", "))
		found.Fix = "`hack/docker.sh start` runs a daemon that does without; see docs/kind.md"
	}
	if here && found.Status == doctor.Ok {
		if free := disk.Bavail * uint64(disk.Bsize); free < leastDisk {
			found.Status = doctor.Warning
			found.Detail += fmt.Sprintf(", but %s has only %.1f GB left", setup.Root, float64(free)/1e9)
			found.Fix = fmt.Sprintf("free some space there: the image of nodes and a cluster take %d GB", leastDisk>>30)
		}
	}
	return found
}

// leastInotify is what the nodes' systemd, kubelet and containerd use together;
// with less, nodes fail to start and say little of why
// (https://kind.sigs.k8s.io/docs/user/known-issues).
func leastInotify() []inotifyLimit {
	return []inotifyLimit{{"fs.inotify.max_user_instances", 512}, {"fs.inotify.max_user_watches", 524288}}
}

type inotifyLimit struct {
	key   string
	least int
}

func inotifyFinding(context.Context) doctor.Finding {
	var found, fixes []string
	for _, limit := range leastInotify() {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(limit.key, ".", "/"))
		if err != nil {
			return doctor.Finding{Status: doctor.Unknown, Detail: err.Error()}
		}
		value, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return doctor.Finding{Status: doctor.Unknown, Detail: fmt.Sprintf("%s: %v", limit.key, err)}
		}
		found = append(found, fmt.Sprintf("%s is %d", limit.key, value))
		if value < limit.least {
			fixes = append(fixes, fmt.Sprintf("sysctl -w %s=%d", limit.key, limit.least))
		}
	}
	if len(fixes) > 0 {
		return doctor.Finding{
			Status: doctor.Warning, Detail: strings.Join(found, ", ") + "; more than two kind nodes may need more", Fix: strings.Join(fixes, "; "),
		}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: strings.Join(found, ", ")}
}
