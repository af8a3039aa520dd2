package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"svcbench/clusters"
	"svcbench/clusters/local"
	"svcbench/clusters/vm"
	"svcbench/internal/components"
	"svcbench/internal/doctor"
	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// doctorChecks are the checks of the machine, and of what svcbench has on it.
func doctorChecks(ctx context.Context, p *programs, outDir string) ([]doctor.Check, error) {
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	store, err := p.store()
	if err != nil {
		return nil, err
	}
	machine := doctor.This()
	machine.CacheDir, machine.OutDir = dir, outDir
	machine.Building = func(ctx context.Context) bool {
		missing, err := missingComponents(ctx, store)
		return err != nil || len(missing) > 0
	}
	noVM := vm.Available()
	return append(slices.Concat(machine.Checks(), needChecks(ctx, noVM), modeChecks(ctx, noVM), kindChecks()),
		doctor.Check{ID: "vm", Title: "virtual machines (QEMU)", Severity: doctor.Advised, Try: func(context.Context) doctor.Finding {
			return vmFinding(noVM)
		}},
		doctor.Check{ID: "components", Title: "components", Severity: doctor.Required, Try: func(ctx context.Context) doctor.Finding {
			return componentsFinding(ctx, p, store)
		}},
		doctor.Check{ID: "leftovers", Title: "leftovers of runs", Severity: doctor.Advised, Try: leftoversFinding},
	), nil
}

// needChecks has one check for each thing that modes need beside the kernel.
// noVM is why there can be no virtual machine, nil where there can.
func needChecks(ctx context.Context, noVM error) []doctor.Check {
	var checks []doctor.Check
	for _, n := range local.Needs(ctx) {
		checks = append(checks, doctor.Check{
			ID: n.ID, Title: n.Title, Severity: doctor.Advised,
			Try: func(context.Context) doctor.Finding { return needFinding(n, noVM) },
		})
	}
	return checks
}

func needFinding(n local.Need, noVM error) doctor.Finding {
	switch n.Answer {
	case clusters.Yes:
		return doctor.Finding{Status: doctor.Ok, Detail: n.Text}
	case clusters.Unknown:
		return doctor.Finding{Status: doctor.Unknown, Detail: n.Text}
	}
	fix := "a kernel that has it"
	switch {
	case n.ID == "clang":
		fix = "make setup, or: apt-get install -y clang-19"
	case n.ID == "cgroup":
		fix = "mount -t cgroup2 none /sys/fs/cgroup, where nothing else is"
	case noVM == nil:
		fix += ", as in a VM: `" + inVMCommand() + "`"
	}
	return doctor.Finding{Status: doctor.Warning, Detail: n.Text, Fix: fix}
}

func vmFinding(noVM error) doctor.Finding {
	if noVM != nil {
		return doctor.Finding{Status: doctor.Warning, Detail: noVM.Error(), Fix: failure.HintOf(noVM)}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: "can be made, with " + strings.Join(vm.Kernels(), " or ")}
}

// modeChecks has one check for all modes together and one for each. They share
// one try of all modes.
func modeChecks(ctx context.Context, noVM error) []doctor.Check {
	modes, err := support(ctx)
	if err != nil {
		return []doctor.Check{{ID: "modes", Title: "modes", Severity: doctor.Advised, Try: func(context.Context) doctor.Finding {
			return doctor.Finding{Status: doctor.Unknown, Detail: fmt.Sprintf("could not be tried: %v", err)}
		}}}
	}
	checks := []doctor.Check{{
		ID: "modes", Title: "modes", Severity: doctor.Required,
		Try: func(context.Context) doctor.Finding { return modesFinding(modes) },
	}}
	for _, s := range modes {
		checks = append(checks, doctor.Check{
			ID: "mode-" + string(s.Mode), Title: "mode " + string(s.Mode), Severity: doctor.Advised,
			Try: func(context.Context) doctor.Finding { return modeFinding(s, noVM) },
		})
	}
	return checks
}

// modesFinding is well as soon as there is something to measure.
func modesFinding(modes []clusters.Support) doctor.Finding {
	run := 0
	for _, s := range modes {
		if s.Answer == clusters.Yes {
			run++
		}
	}
	if run == 0 {
		return doctor.Finding{Status: doctor.Failed, Detail: "none runs here", Fix: "`make setup` installs the programs they lack"}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: fmt.Sprintf("%d of %d run here", run, len(modes))}
}

// modeFinding tells of a mode that does not run what would make it run: a
// package, a module of the kernel, or another kernel.
func modeFinding(s clusters.Support, noVM error) doctor.Finding {
	if s.Answer == clusters.Yes {
		return doctor.Finding{Status: doctor.Ok, Detail: "runs here"}
	}
	fix := "make setup installs the programs it needs"
	if s.Mode == scenarios.IPVS {
		fix += "; modprobe ip_vs, where the kernel has modules"
	}
	if noVM == nil && s.Answer != clusters.NotInstalled {
		fix += "; `" + inVMCommand() + "` measures it with another kernel"
	}
	if s.Answer != clusters.Unknown {
		return doctor.Finding{Status: doctor.Warning, Detail: "does not run here: " + s.Because, Fix: fix}
	}
	return doctor.Finding{Status: doctor.Unknown, Detail: s.Because, Fix: fix}
}

func componentsFinding(ctx context.Context, p *programs, store *components.Store) doctor.Finding {
	missing, err := missingComponents(ctx, store)
	switch {
	case err != nil:
		return doctor.Finding{Status: doctor.Unknown, Detail: err.Error()}
	case len(missing) > 0 && p.use != "":
		return doctor.Finding{Status: doctor.Failed, Fix: "`svcbench components --use " + p.use + "` tells why",
			Detail: strings.Join(missing, ", ") + " cannot be used from " + p.use}
	case len(missing) > 0:
		return doctor.Finding{Status: doctor.Warning, Fix: "svcbench components build",
			Detail: strings.Join(missing, ", ") + " not built yet; the first run does it"}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: "all are ready"}
}

// missingComponents names those that a cluster needs and that are not ready.
func missingComponents(ctx context.Context, store *components.Store) ([]string, error) {
	all, err := store.Status(ctx)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, s := range all {
		if s.State != components.Ready && slices.Contains(local.Binaries(scenarios.Modes()...), s.Name) {
			missing = append(missing, s.Name)
		}
	}
	return missing, nil
}

func leftoversFinding(context.Context) doctor.Finding {
	left, err := leftovers()
	switch {
	case err != nil:
		return doctor.Finding{Status: doctor.Unknown, Detail: err.Error()}
	case len(left) > 0:
		return doctor.Finding{Status: doctor.Warning, Detail: strings.Join(left, ", "), Fix: "svcbench clean"}
	}
	return doctor.Finding{Status: doctor.Ok, Detail: "none"}
}
