// The few definitions path.bpf.c needs, so that compiling it takes clang and
// nothing else: no kernel headers, no libbpf, no vmlinux.h. Every number and
// layout here is part of Linux's stable user-space interface
// (include/uapi/linux/bpf.h, if_ether.h, ip.h, tcp.h, udp.h) or of RFC 768, 791 and 9293.

#ifndef SVCBENCH_KERNEL_H
#define SVCBENCH_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))

// How a map is declared so that its shape is found in the object's BTF.
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

enum bpf_map_type {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_RB_NO_WAKEUP = 1, // bpf_ringbuf_submit: wake no reader
};

// Helper functions are called by their number.
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;

// The packet as a tc program sees it, up to the last field used here.
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
};

struct ethhdr {
	__u8 dest[6];
	__u8 source[6];
	__be16 proto;
} __attribute__((packed));

struct iphdr {
	__u8 version_ihl; // version << 4 | header length in words of 4 bytes
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off; // flags << 13 | offset
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};

struct tcphdr {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 doff; // header length in words of 4 bytes << 4
	__u8 flags;
	__be16 window;
	__u16 check;
	__be16 urg_ptr;
};

struct udphdr {
	__be16 source;
	__be16 dest;
	__be16 len; // of header and payload
	__u16 check;
};

// The beginning of both.
struct ports {
	__be16 source;
	__be16 dest;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpf_htons(x) ((__be16)__builtin_bswap16(x))
#define bpf_htonl(x) ((__be32)__builtin_bswap32(x))
#else
#define bpf_htons(x) ((__be16)(x))
#define bpf_htonl(x) ((__be32)(x))
#endif
#define bpf_ntohl(x) bpf_htonl(x)

#endif
