package vm

// neededModules lets a guest see the host's files and talk to the host.
func neededModules() []string {
	return []string{"virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"}
}

// usefulModules are what the modes and the network of a cluster need. Kernels
// would load most of them when they are first used, and then, in the middle of
// something that is measured, wait for the host's files.
func usefulModules() []string {
	return []string{
		"crc32c_generic", // libcrc32c asks for it by another name
		"veth", "dummy", "bridge", "br_netfilter", "vxlan", "sch_ingress", "sch_fq", "cls_bpf",
		"nf_conntrack", "nf_conntrack_netlink", "nf_nat", "nfnetlink",
		// iptables mode, and the rules that the others set through it
		"ip_tables", "ip6_tables", "x_tables", "iptable_filter", "iptable_nat", "iptable_mangle", "iptable_raw",
		"ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw", "nft_compat",
		"xt_addrtype", "xt_comment", "xt_conntrack", "xt_mark", "xt_multiport", "xt_nat", "xt_MASQUERADE", "xt_statistic",
		"xt_recent", "xt_set", "xt_tcpudp", "xt_nfacct", "xt_socket", "xt_CT", "xt_TPROXY", "ipt_REJECT", "ip6t_REJECT",
		// nftables mode
		"nf_tables", "nft_chain_nat", "nft_ct", "nft_fib", "nft_fib_ipv4", "nft_fib_ipv6", "nft_fib_inet",
		"nft_masq", "nft_nat", "nft_numgen", "nft_reject", "nft_reject_ipv4", "nft_reject_ipv6", "nft_reject_inet", "nft_redir", "nft_limit", "nft_log",
		// IPVS mode
		"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_dh", "ip_vs_mh", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_nq", "ip_vs_sed",
		"ip_set", "ip_set_hash_ip", "ip_set_hash_ipport", "ip_set_hash_ipportip", "ip_set_hash_ipportnet", "ip_set_hash_net", "ip_set_bitmap_port",
	}
}
