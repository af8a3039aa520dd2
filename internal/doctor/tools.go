package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The oldest versions that kube-proxy's nftables mode works with
// (Kubernetes documentation, "Virtual IPs and Service Proxies").
var (
	oldestNFT    = numbers{1, 0, 1}
	oldestKernel = numbers{5, 13}
)

// numbers is a version, compared number by number.
type numbers []int

var versionPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+)+`)

// versionIn returns the first version in a text; nil if there is none.
func versionIn(text string) numbers {
	var n numbers
	for part := range strings.SplitSeq(versionPattern.FindString(text), ".") {
		if v, err := strconv.Atoi(part); err == nil {
			n = append(n, v)
		}
	}
	return n
}

// before reports whether n is older than o.
func (n numbers) before(o numbers) bool {
	for i, want := range o {
		have := 0
		if i < len(n) {
			have = n[i]
		}
		if have != want {
			return have < want
		}
	}
	return false
}

// String is the version with dots.
func (n numbers) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(n)), " ", "."), "[]")
}

const installHint = "make setup, or: apt-get install -y "

func (m *Machine) nft(ctx context.Context) Finding {
	out, err := m.Run(ctx, "nft", "--version")
	if notInstalled(err) {
		return failed(installHint+"nftables", "nft is not installed; kube-proxy's nftables mode runs it")
	}
	if err != nil {
		return unknown(err)
	}
	v := versionIn(string(out))
	if v.before(oldestNFT) {
		return failed("install nftables "+oldestNFT.String()+" or newer", "nft %s is older than %s", v, oldestNFT)
	}
	return okay("nft %s", v)
}

func (m *Machine) iptables(ctx context.Context) Finding {
	var text string
	for _, program := range []string{"iptables", "iptables-save", "iptables-restore"} {
		out, err := m.Run(ctx, program, "--version")
		if notInstalled(err) {
			return failed(installHint+"iptables", "%s is not installed; kube-proxy's iptables mode runs it", program)
		}
		if err != nil {
			return unknown(err)
		}
		text = strings.TrimSpace(string(out))
	}
	_, text, _ = strings.Cut(text, " ")
	return okay("iptables %s", text)
}

func (m *Machine) kernel(context.Context) Finding {
	release, err := read(m.Proc, "sys/kernel/osrelease")
	if err != nil {
		return unknown(err)
	}
	if versionIn(release).before(oldestKernel) {
		return failed("boot a newer kernel", "%s is older than %s, which kube-proxy's nftables mode needs", release, oldestKernel)
	}
	return okay("%s", release)
}

// oldestGo is what the go.mod files ask for.
var oldestGo = numbers{1, 26}

// goToolchain looks for the go command, which is there to build components.
func (m *Machine) goToolchain(ctx context.Context) Finding {
	if !m.Building(ctx) {
		return okay("not needed: all components are there")
	}
	fix := "install Go " + oldestGo.String() + " or newer from https://go.dev/dl"
	out, err := m.Run(ctx, "go", "version")
	if notInstalled(err) { // where Go's own packages put it, which sudo leaves out of PATH
		out, err = m.Run(ctx, "/usr/local/go/bin/go", "version")
	}
	if notInstalled(err) {
		return failed(fix, "go is not installed; components have to be built")
	}
	if err != nil {
		return unknown(err)
	}
	v := versionIn(string(out))
	if v.before(oldestGo) {
		return failed(fix, "Go %s is older than %s", v, oldestGo)
	}
	return okay("Go %s", v)
}
