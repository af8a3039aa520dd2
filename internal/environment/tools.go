package environment

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"time"

	"svcbench/internal/process"
)

// patience is how long a tool may take to tell its version.
const patience = 5 * time.Second

// versionOf finds the version in what a tool prints, with the variant of
// iptables: "iptables v1.8.9 (nf_tables)" is 1.8.9 (nf_tables).
var versionOf = regexp.MustCompile(`\bv(\d[\w.-]*(?: \((?:nf_tables|legacy)\))?)`)

// tools returns the versions of the programs on this machine that proxies
// call, and of the Go runtime inside this one.
func (m *machine) tools(ctx context.Context) map[string]string {
	versions := map[string]string{"go": runtime.Version()}
	for _, name := range []string{"nft", "iptables", "ipset", "conntrack"} {
		// Some tools tell their version and then fail, for example because
		// the kernel lacks their subject: what they printed counts.
		printed, _ := m.run(ctx, name, "--version")
		if found := versionOf.FindStringSubmatch(printed); found != nil {
			versions[name] = found[1]
		}
	}
	return versions
}

// runTool calls a program of this machine.
func runTool(ctx context.Context, program, arg string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path, err := process.LookPath(program)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, arg)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	return string(out), err
}
