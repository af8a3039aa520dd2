//go:build ignore

// Two tc programs that time how long the first packet of a connection stays
// inside a node: the SYN of a TCP connection, or the one datagram of a question
// over UDP (package identity). "enter" runs where it comes in, on the link to the
// client, and "leave" where it goes out, on the link to the backend. Between
// the two lies what a Service implementation does to a new connection, and
// nothing else: no client, no scheduler, no backend.
//
// A packet is recognised at its way out by its key alone: the sequence number of
// a SYN, the cookie of a question. A Service implementation may rewrite
// everything else: both addresses, the destination port and, masquerading at
// random, the source port too.
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
	PROTOCOL_UDP = 17,
	IP_FRAGMENT = 0x3fff, // "more fragments" and the offset
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,

	SLOT_BITS = 18,

	// "Isvcbnch", with which every question begins (package identity).
	GREETING_HIGH = 0x49737663,
	GREETING_LOW = 0x626e6368,
};

// A question, as package identity has it.
struct question {
	__be32 greeting[2];
	__be32 cookie[2];
};

// The stages of a slot's life.
enum stage {
	EMPTY = 0,
	INSIDE, // came in, has not gone out
	SPENT,  // gone out, or not worth measuring any more
};

// What is known of a packet that came in.
struct slot {
	__u64 start; // ns of CLOCK_MONOTONIC
	__u64 key;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	enum stage stage;
};

// The packets that came in, in a table with exactly one place for each key (see
// place). Against a hash map this costs one cache line instead of two, never
// fails to insert, never stops to evict, and remembers a packet after it went
// out, which is how a retransmission is told from a first packet.
//
// The price is that two packets can fall on one place. If the first is still
// inside, it is lost and counted as overwritten: with n packets inside at once
// (a few, since each stays for microseconds) that happens to one in 2^18 / n.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SLOT_BITS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

// What is told to user space about a packet that went out.
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
	ENTERED,       // packets that came in, retransmissions included
	RETRANSMITTED, // packets that came in a second time
	OVERWRITTEN,   // packets whose slot was taken by another before they went out
	UNMATCHED,     // packets that went out without having come in
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

// What a packet says of itself.
struct first {
	const struct iphdr *ip;
	// The ports stand first in the headers of both protocols.
	const struct ports *ports;
	__u64 key;
	// The number that is, or ends, the key.
	__be32 *number;
};

// place returns the slot of a key. Fibonacci hashing (Knuth, TAOCP 3, 6.4)
// spreads clients that count their sequence numbers or cookies up.
static __always_inline struct slot *place(__u64 key)
{
	__u32 index = (key * 0x9e3779b97f4a7c15ull) >> (64 - SLOT_BITS);

	return bpf_map_lookup_elem(&slots, &index);
}

// syn takes the key of a TCP header, if it is that of a SYN.
static __always_inline bool syn(struct first *f, void *header, void *end)
{
	struct tcphdr *tcp = header;

	if ((void *)(tcp + 1) > end)
		return false;
	if ((tcp->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return false;
	f->number = &tcp->seq;
	f->key = bpf_ntohl(tcp->seq);
	return true;
}

// question takes the key of a UDP header, if one of svcbench's questions
// follows. Cookies are not below 2^63, so that none is a sequence number.
static __always_inline bool question(struct first *f, void *header, void *end)
{
	struct udphdr *udp = header;
	struct question *q = (void *)(udp + 1);

	if ((void *)(q + 1) > end || udp->len != bpf_htons(sizeof(*udp) + sizeof(*q)))
		return false;
	if (q->greeting[0] != bpf_htonl(GREETING_HIGH) || q->greeting[1] != bpf_htonl(GREETING_LOW))
		return false;
	f->number = &q->cookie[1];
	f->key = (__u64)bpf_ntohl(q->cookie[0]) << 32 | bpf_ntohl(q->cookie[1]);
	return true;
}

// first finds the headers of the first packet of a connection. It is false for
// everything else: other protocols, SYN-ACKs, fragments and packets cut short.
// What is read of such a packet is in its linear part on every kind of virtual
// link, so it need not be pulled there first, which would change the packet.
static __always_inline bool first(struct __sk_buff *skb, struct first *f)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	void *next;
	__u32 header;

	if ((void *)(ip + 1) > end || eth->proto != bpf_htons(ETHERTYPE_IPV4))
		return false;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT))
		return false;
	header = (ip->version_ihl & 0x0f) * 4;
	if (header < sizeof(struct iphdr))
		return false;
	next = (void *)ip + header;
	f->ip = ip;
	f->ports = next;
	if (ip->protocol == PROTOCOL_TCP)
		return syn(f, next, end);
	if (ip->protocol == PROTOCOL_UDP)
		return question(f, next, end);
	return false;
}

// came_in starts the clock of a packet. One that was here before is not timed
// again, and not timed at all if it is still inside: either the first got
// lost on the way, or the answer did and the node now takes a shorter way for
// a connection it knows. Neither says how long a first packet takes.
static __always_inline void came_in(const struct first *f)
{
	struct slot *s = place(f->key);

	if (!s)
		return; // cannot happen, but the verifier does not know
	count(ENTERED);
	if (s->stage != EMPTY && s->key == f->key && s->saddr == f->ip->saddr &&
	    s->daddr == f->ip->daddr && s->sport == f->ports->source && s->dport == f->ports->dest) {
		count(RETRANSMITTED);
		s->stage = SPENT;
		return;
	}
	if (s->stage == INSIDE)
		count(OVERWRITTEN);
	s->key = f->key;
	s->saddr = f->ip->saddr;
	s->daddr = f->ip->daddr;
	s->sport = f->ports->source;
	s->dport = f->ports->dest;
	s->stage = INSIDE;
	s->start = bpf_ktime_get_ns();
}

// went_out stops the clock of a packet.
static __always_inline void went_out(const struct first *f)
{
	__u64 now = bpf_ktime_get_ns();
	struct slot *s = place(f->key);
	struct sample *out;
	__u64 ns;

	if (!s)
		return;
	if (s->stage == EMPTY || s->key != f->key) {
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
	out->backend = f->ip->daddr;
	out->ns = ns < 0xffffffffULL ? ns : 0xffffffffU;
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
}

SEC("tc/enter")
int enter(struct __sk_buff *skb)
{
	struct first f;

	if (first(skb, &f))
		came_in(&f);
	return NEXT;
}

SEC("tc/leave")
int leave(struct __sk_buff *skb)
{
	struct first f;

	if (first(skb, &f))
		went_out(&f);
	return NEXT;
}

// cycle does to a new packet what enter and leave do together. It is never
// attached: run again and again on one packet, whose number it counts up, it
// tells what the instrument costs.
SEC("tc/cycle")
int cycle(struct __sk_buff *skb)
{
	struct first f;

	if (!first(skb, &f))
		return NEXT;
	*f.number = bpf_htonl(bpf_ntohl(*f.number) + 1);
	f.key++;
	came_in(&f);
	went_out(&f);
	return NEXT;
}
