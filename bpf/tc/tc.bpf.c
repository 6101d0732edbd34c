/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets: what passes each interface, by flow.
 *
 * This file has the programs; what they do stands in the headers, one for each topic. One program serves every
 * interface in one direction. All of them let every packet pass on to whoever comes next, and change nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "../flow.h"

#define PASS (-1) /* TCX_NEXT, TC_ACT_UNSPEC */
#define E2BIG 7

const volatile __u32 only_netns; /* all interfaces are of this network namespace; 0: of any */

#include "maps.h"

#include "parse.h"

#include "flow.h"

#include "handshake.h"
#include "stamp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- where ---- */

struct net_device___here { /* of the kernel's, which holds half of it by value, what is read */
    possible_net_t nd_net;
    unsigned short type;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak; /* Linux 6.2 */

static __always_inline __u32 netns_of(struct __sk_buff *skb) {
    if (only_netns)
        return only_netns;
    if (bpf_cast_to_kern_ctx) {
        struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
        return ((struct net_device___here *)kernel->dev)->nd_net.net->ns.inum;
    }
    struct net_device___here *device = (void *)BPF_CORE_READ((struct sk_buff *)(void *)skb, dev);
    return BPF_CORE_READ(device, nd_net.net, ns.inum);
}

static __always_inline __u32 link_type_of(struct __sk_buff *skb) {
    struct net_device___here *device = (void *)BPF_CORE_READ((struct sk_buff *)(void *)skb, dev);
    return BPF_CORE_READ(device, type);
}

/* NULL: beyond the table. */
static __always_inline struct interface_totals *totals_of(struct __sk_buff *skb, const struct flow_key *flow) {
    struct interface_key key = {.netns = flow->netns, .ifindex = flow->ifindex};
    struct interface_totals *totals = bpf_map_lookup_elem(&interfaces, &key);
    if (!totals)
        totals = totals_new(&key);
    if (totals && !totals->link_type)
        totals->link_type = link_type_of(skb) + 1;
    return totals;
}

/* ---- packets ---- */

static __always_inline void count_packet(struct __sk_buff *skb, const struct packet *packet, struct flow *flow,
                                         __u32 link_type, bool inside, __u64 now) {
    if (packet->tcp_flags & TCP_SYN)
        handshake(packet, flow, now);
    add(flow, skb, packet, now);
    stamp(skb, packet, flow, link_type, inside, now);
}

__noinline int count_inner(struct __sk_buff *skb, struct packet *packet, __u64 now) {
    if (!packet)
        return 0;
    parse_inner(skb, packet);
    struct flow *flow = flow_of(&packet->key);
    if (flow)
        count_packet(skb, packet, flow, 0, true, now);
    else
        count(COUNTER_FLOWS_FULL);
    return 0;
}

static __always_inline int handle(struct __sk_buff *skb, enum flow_way way) {
    struct packet packet = {};
    packet.key.netns = netns_of(skb);
    packet.key.ifindex = skb->ifindex;
    packet.key.way = way;
    struct interface_totals *totals = totals_of(skb, &packet.key);
    if (!totals) {
        count(COUNTER_INTERFACES_FULL);
        return PASS;
    }
    __u32 link_type = totals->link_type - 1;
    totals->packets[way]++;
    totals->bytes[way] += skb->len;
    parse(skb, &packet, link_type);
    totals->malformed[way] += packet.malformed;

    __u64 now = bpf_ktime_get_ns();
    struct flow *flow = flow_of(&packet.key);
    if (flow)
        count_packet(skb, &packet, flow, link_type, false, now);
    else {
        totals->overflow_packets[way]++;
        totals->overflow_bytes[way] += skb->len;
        count(COUNTER_FLOWS_FULL);
    }
    if (packet.inner)
        count_inner(skb, &packet, now);
    return PASS;
}

SEC("tc")
int packet_ingress(struct __sk_buff *skb) {
    return handle(skb, FLOW_INGRESS);
}

SEC("tc")
int packet_egress(struct __sk_buff *skb) {
    return handle(skb, FLOW_EGRESS);
}

/* ---- leaving ---- */

SEC("syscall")
int sweep(void *context) {
    bpf_for_each_map_elem(&flows, ask_to_leave, NULL, 0);
    return 0;
}
