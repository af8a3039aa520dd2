package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"svcbench/clusters"
	"svcbench/clusters/local"
	"svcbench/internal/doctor"
	"svcbench/internal/failure"
	"svcbench/internal/results"
	"svcbench/runners"
	"svcbench/scenarios"
)

// Where a mode runs depends on this machine and on whether it can have a
// virtual one.
func TestListModes(t *testing.T) {
	modes := []clusters.Support{
		{Mode: scenarios.IPTables, Answer: clusters.Yes},
		{Mode: scenarios.IPVS, Answer: clusters.No, Because: "the kernel has none."},
		{Mode: scenarios.EBPF, Answer: clusters.Unknown, Because: "it could not be tried"},
		{Mode: scenarios.NFTables, Answer: clusters.NotInstalled, Because: "nft is not there"},
	}
	for _, test := range []struct {
		noVM error
		want []string
	}{
		{nil, []string{
			"iptables here", "ipvs in a VM here the kernel has none; `svcbench run --vm kernel=debian-6.1` measures it",
			"ebpf in a VM here it could not be tried; `svcbench run", "nftables not installed nft is not there",
		}},
		{errors.New("QEMU is not installed"), []string{
			"iptables here", "ipvs no the kernel has none; nor in a VM: QEMU is not installed", "ebpf unknown", "nftables not installed nft is",
		}},
	} {
		var out bytes.Buffer
		if err := listModes(Streams{Out: &out}, modes, test.noVM, "text"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")[1:]
		for i, want := range test.want {
			if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got, want) {
				t.Errorf("VM %v: got %q, want %q", test.noVM, got, want)
			}
		}
		for i, row := range modeRows(modes, test.noVM) {
			if row.Runs != modes[i].Answer || row.VM != (test.noVM == nil && row.Runs != clusters.NotInstalled) || (row.Because == "") != (row.Runs == clusters.Yes) {
				t.Errorf("VM %v: %+v", test.noVM, row)
			}
		}
	}
}

// Modes that are left out are told with the way to measure them, if there is
// one.
func TestTellVM(t *testing.T) {
	for _, test := range []struct {
		answer clusters.Answer
		noVM   error
		want   bool
	}{
		{clusters.No, nil, true}, {clusters.Yes, nil, false}, {clusters.No, errors.New("no QEMU"), false}, {clusters.NotInstalled, nil, false},
	} {
		var said bytes.Buffer
		plan := &runners.Plan{Modes: []results.ModeStatus{{Mode: "iptables", Included: true}, {Mode: "ipvs", Included: test.answer == clusters.Yes}}}
		modes := []clusters.Support{{Mode: scenarios.IPTables, Answer: clusters.Yes}, {Mode: scenarios.IPVS, Answer: test.answer}}
		tellVM(Streams{Err: &said}, plan, modes, test.noVM)
		if got := strings.Contains(said.String(), "--vm kernel="); got != test.want {
			t.Errorf("%+v: said %q", test, said.String())
		}
	}
}

// Whatever is missing, doctor tells how to repair it.
func TestFindingsHaveFixes(t *testing.T) {
	noVM := failure.New(failure.Environment, errors.New("no QEMU"), "install it")
	for name, found := range map[string]doctor.Finding{
		"clang":       needFinding(local.Need{ID: "clang", Answer: clusters.No, Text: "not installed"}, noVM),
		"bpffs":       needFinding(local.Need{ID: "bpffs", Answer: clusters.No, Text: "none"}, noVM),
		"bpffs, VM":   needFinding(local.Need{ID: "bpffs", Answer: clusters.No, Text: "none"}, nil),
		"cgroup":      needFinding(local.Need{ID: "cgroup", Answer: clusters.No, Text: "none"}, noVM),
		"vm":          vmFinding(noVM),
		"ipvs":        modeFinding(clusters.Support{Mode: scenarios.IPVS, Answer: clusters.No, Because: "no ip_vs"}, nil),
		"ipvs, no VM": modeFinding(clusters.Support{Mode: scenarios.IPVS, Answer: clusters.No, Because: "no ip_vs"}, noVM),
	} {
		if found.Status != doctor.Warning || found.Detail == "" || found.Fix == "" {
			t.Errorf("%s: %+v", name, found)
		}
	}
	for _, f := range []doctor.Finding{
		modeFinding(clusters.Support{Mode: scenarios.IPVS, Answer: clusters.No, Because: "no ip_vs"}, noVM),
		needFinding(local.Need{ID: "bpffs", Answer: clusters.No, Text: "none"}, noVM),
	} {
		if strings.Contains(f.Fix, "--vm") {
			t.Errorf("without QEMU, a VM is no way: %q", f.Fix)
		}
	}
	if f := vmFinding(nil); f.Status != doctor.Ok {
		t.Errorf("with QEMU: %+v", f)
	}
}
