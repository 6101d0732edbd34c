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

#include "drop.h"
#include "trouble.h"

#include "sockets.h"

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

/* Looked for once where the kernel has no cheap way. */
static __noinline __u32 remembered_link_type(struct __sk_buff *skb, const struct flow_key *key) {
    struct interface_place *place = place_of(key);
    if (!place)
        return ARPHRD_ETHER;
    if (!place->link_type) {
        struct net_device___here *device = (void *)BPF_CORE_READ((struct sk_buff *)(void *)skb, dev);
        place->link_type = BPF_CORE_READ(device, type) + 1;
    }
    return place->link_type - 1;
}

static __always_inline __u32 link_type_of(struct __sk_buff *skb, const struct flow_key *key) {
    if (!bpf_cast_to_kern_ctx)
        return remembered_link_type(skb, key);
    struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
    return ((struct net_device___here *)kernel->dev)->type;
}

/* ---- packets ---- */

/* The clock of the last tick will do for most packets. */
static __always_inline __u64 time_of(const struct packet *packet, const struct flow *flow) {
    if (!flow->packets || (packet->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) || is_answered(flow))
        return bpf_ktime_get_ns();
    return bpf_ktime_get_coarse_ns();
}

static __always_inline void count_packet(struct __sk_buff *skb, const struct packet *packet, struct flow *flow,
                                         __u32 link_type) {
    __u64 now = time_of(packet, flow);
    if (!flow->packets)
        flow->first_time = now;
    if (packet->tcp_flags & TCP_SYN)
        handshake(packet, flow, now);
    add(flow, skb, packet, now);
    stamp(skb, packet, flow, link_type, now);
}

/* Static: before Linux 6.2 what a function that is verified apart is handed is no key of a map. */
static __noinline int count_inner(struct __sk_buff *skb, struct packet *packet) {
    parse_inner(skb, packet);
    struct flow_key key = packet->key; /* before Linux 6.2 a key has to lie on the stack */
    struct flow *flow = flow_of(&key, skb->len);
    if (flow)
        count_packet(skb, packet, flow, 0);
    return 0;
}

static __always_inline int handle(struct __sk_buff *skb, enum flow_way way) {
    struct packet packet = {};
    packet.key.netns = netns_of(skb);
    packet.key.ifindex = skb->ifindex;
    packet.key.way = way;
    __u32 link_type = link_type_of(skb, &packet.key);
    parse(skb, &packet, link_type);

    struct flow *flow = flow_of(&packet.key, skb->len);
    if (flow) {
        struct interface_totals *sum = totals_of(&packet.key, flow);
        if (sum) {
            sum->packets[way]++;
            sum->bytes[way] += skb->len;
            sum->malformed[way] += packet.malformed;
        }
        count_packet(skb, &packet, flow, link_type);
    }
    if (!packet.later_fragment && (packet.key.protocol == IPPROTO_ICMP || packet.key.protocol == IPPROTO_ICMPV6))
        icmp_seen(skb, packet.transport, &packet.key);
    if (packet.inner)
        count_inner(skb, &packet);
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
