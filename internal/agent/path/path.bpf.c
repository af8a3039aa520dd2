//go:build ignore

// Two tc programs that time how long the first packet of a TCP connection (its
// SYN) stays inside a node: "enter" runs where it comes in, on the link to the
// client, and "leave" where it goes out, on the link to the backend. Between
// the two lies what a Service implementation does to a new connection, and
// nothing else: no client, no scheduler, no backend.
//
// A SYN is recognised at its way out by its TCP sequence number alone, because
// a Service implementation may rewrite everything else: both addresses, the
// destination port and, masquerading at random, the source port too.
//
// The stamps are taken as the last thing on the way in and as the first thing
// on the way out, so that the instrument's own work falls outside the figure.
//
// Both programs hand the packet on untouched, to whatever program is next.

#include "kernel.h"

// The helpers used are open to programs of any licence since Linux 5.8, the
// first version that has ring buffers.
char _license[] SEC("license") = "Apache-2.0";

enum {
	// "Go on with the next program": the same number as TCX_NEXT and as
	// TC_ACT_UNSPEC, so one program serves tcx and clsact.
	NEXT = -1,

	ETHERTYPE_IPV4 = 0x0800,
	PROTOCOL_TCP = 6,
	IP_FRAGMENT = 0x3fff, // "more fragments" and the offset
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,

	SLOT_BITS = 18,
};

// The stages of a slot's life.
enum stage {
	EMPTY = 0,
	INSIDE, // came in, has not gone out
	SPENT,  // gone out, or not worth measuring any more
};

// What is known of a SYN that came in.
struct slot {
	__u64 start; // ns of CLOCK_MONOTONIC
	__be32 seq;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	enum stage stage;
};

// The SYNs that came in, in a table with exactly one place for each sequence
// number (see place). Against a hash map this costs one cache line instead of
// two, never fails to insert, never stops to evict, and remembers a SYN after
// it went out, which is how a retransmission is told from a first packet.
//
// The price is that two SYNs can fall on one place. If the first is still
// inside, it is lost and counted as overwritten: with n SYNs inside at once
// (a few, since each stays for microseconds) that happens to one in 2^18 / n.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SLOT_BITS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

// What is told to user space about a SYN that went out.
struct sample {
	__be32 dst;     // where it was sent: the Service's address
	__be32 backend; // where it went: the address after translation
	__u32 ns;       // time inside the node, at most 2^32-1
};

// Samples wait here until user space collects them after the measurement:
// nobody is woken up, so nothing else runs while packets are being timed.
// The size is set when the object is loaded.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
	__type(value, struct sample);
} samples SEC(".maps");

enum counter {
	ENTERED,       // SYNs that came in, retransmissions included
	RETRANSMITTED, // SYNs that came in a second time
	OVERWRITTEN,   // SYNs whose slot was taken by another before they went out
	UNMATCHED,     // SYNs that went out without having come in
	LOST,          // samples dropped because the ring was full
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, enum counter);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(enum counter which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		(*n)++;
}

// place returns the slot of a sequence number. Fibonacci hashing (Knuth,
// TAOCP 3, 6.4) spreads clients that count their sequence numbers up.
static __always_inline struct slot *place(__be32 seq)
{
	__u32 key = (bpf_ntohl(seq) * 0x9e3779b1u) >> (32 - SLOT_BITS);

	return bpf_map_lookup_elem(&slots, &key);
}

// syn finds the headers of an IPv4 TCP SYN. It is false for everything else:
// other protocols, SYN-ACKs, fragments and packets cut short. The headers of
// a SYN are in the linear part of the packet on every kind of virtual link,
// so they need not be pulled there first, which would change the packet.
static __always_inline bool syn(struct __sk_buff *skb, struct iphdr **ip, struct tcphdr **tcp)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	__u32 header;

	if ((void *)(eth + 1) > end || eth->proto != bpf_htons(ETHERTYPE_IPV4))
		return false;
	*ip = (void *)(eth + 1);
	if ((void *)(*ip + 1) > end || (*ip)->protocol != PROTOCOL_TCP)
		return false;
	if ((*ip)->frag_off & bpf_htons(IP_FRAGMENT))
		return false;
	header = ((*ip)->version_ihl & 0x0f) * 4;
	if (header < sizeof(struct iphdr))
		return false;
	*tcp = (void *)*ip + header;
	if ((void *)(*tcp + 1) > end)
		return false;
	return ((*tcp)->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

// came_in starts the clock of a SYN. One that was here before is not timed
// again, and not timed at all if it is still inside: either the first got
// lost on the way, or the answer did and the node now takes a shorter way for
// a connection it knows. Neither says how long a first packet takes.
static __always_inline void came_in(const struct iphdr *ip, const struct tcphdr *tcp)
{
	struct slot *s = place(tcp->seq);

	if (!s)
		return; // cannot happen, but the verifier does not know
	count(ENTERED);
	if (s->stage != EMPTY && s->seq == tcp->seq && s->saddr == ip->saddr &&
	    s->daddr == ip->daddr && s->sport == tcp->source && s->dport == tcp->dest) {
		count(RETRANSMITTED);
		s->stage = SPENT;
		return;
	}
	if (s->stage == INSIDE)
		count(OVERWRITTEN);
	s->seq = tcp->seq;
	s->saddr = ip->saddr;
	s->daddr = ip->daddr;
	s->sport = tcp->source;
	s->dport = tcp->dest;
	s->stage = INSIDE;
	s->start = bpf_ktime_get_ns();
}

// went_out stops the clock of a SYN.
static __always_inline void went_out(const struct iphdr *ip, const struct tcphdr *tcp)
{
	__u64 now = bpf_ktime_get_ns();
	struct slot *s = place(tcp->seq);
	struct sample *out;
	__u64 ns;

	if (!s)
		return;
	if (s->stage == EMPTY || s->seq != tcp->seq) {
		count(UNMATCHED);
		return;
	}
	if (s->stage == SPENT)
		return; // a retransmission, counted when it came in
	s->stage = SPENT;
	out = bpf_ringbuf_reserve(&samples, sizeof(*out), 0);
	if (!out) {
		count(LOST);
		return;
	}
	// The clock may step back by a few ns between two processors.
	ns = now > s->start ? now - s->start : 0;
	out->dst = s->daddr;
	out->backend = ip->daddr;
	out->ns = ns < 0xffffffffULL ? ns : 0xffffffffU;
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
}

SEC("tc/enter")
int enter(struct __sk_buff *skb)
{
	struct tcphdr *tcp;
	struct iphdr *ip;

	if (syn(skb, &ip, &tcp))
		came_in(ip, tcp);
	return NEXT;
}

SEC("tc/leave")
int leave(struct __sk_buff *skb)
{
	struct tcphdr *tcp;
	struct iphdr *ip;

	if (syn(skb, &ip, &tcp))
		went_out(ip, tcp);
	return NEXT;
}

// cycle does to a new SYN what enter and leave do together. It is never
// attached: run again and again on one packet, whose sequence number it counts
// up, it tells what the instrument costs.
SEC("tc/cycle")
int cycle(struct __sk_buff *skb)
{
	struct tcphdr *tcp;
	struct iphdr *ip;

	if (!syn(skb, &ip, &tcp))
		return NEXT;
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	came_in(ip, tcp);
	went_out(ip, tcp);
	return NEXT;
}
