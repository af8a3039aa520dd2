package environment

import (
	"io/fs"
	"strings"
)

// settings are the kernel settings that decide results, as patterns of file
// names in /proc/sys. They are those of the machine's own network namespace;
// the namespaces of a cluster begin with the kernel's defaults.
var settings = []string{
	"kernel/sched_*",
	"net/core/bpf_jit_enable",
	"net/core/bpf_jit_harden",
	"net/core/netdev_max_backlog",
	"net/core/somaxconn",
	"net/ipv4/ip_local_port_range",
	"net/ipv4/tcp_max_syn_backlog",
	"net/ipv4/tcp_syncookies",
	"net/ipv4/tcp_tw_reuse",
	"net/netfilter/nf_conntrack_buckets",
	"net/netfilter/nf_conntrack_max",
	"net/netfilter/nf_conntrack_tcp_be_liberal",
}

// commandLine returns the kernel's own boot parameters. Those of the init
// program do not decide results and may be secrets.
func (m *machine) commandLine() string {
	var own []string
	for field := range strings.FieldsSeq(m.read("proc/cmdline")) {
		if field == "--" { // the rest is for init
			break
		}
		name, _, _ := strings.Cut(field, "=")
		if name != "init" && name != "rdinit" && !strings.HasPrefix(name, "systemd.") {
			own = append(own, field)
		}
	}
	return strings.Join(own, " ")
}

// sysctls returns the settings that this kernel has and shows, by their
// dotted names.
func (m *machine) sysctls() map[string]string {
	const root = "proc/sys/"
	found := map[string]string{}
	for _, pattern := range settings {
		names, err := fs.Glob(m.files, root+pattern)
		if err != nil {
			continue // only for a malformed pattern
		}
		for _, name := range names {
			if value := m.read(name); value != "" {
				found[strings.ReplaceAll(strings.TrimPrefix(name, root), "/", ".")] = value
			}
		}
	}
	return found
}
