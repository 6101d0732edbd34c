/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Flows in the kernel: packets are added up by flow and by interface.
 *
 * What must add up is added atomically: packets, segments, bytes. The rest may miss one where two CPUs handle packets
 * of one flow at the same moment; a flow's packets go through one CPU at a time as a rule.
 *
 * Userspace alone deletes, in two steps, so that nothing is added to an entry whose last counts were read. `sweep` asks
 * a silent flow to leave; a packet that comes takes that back. A sweep later it finds the request as it was, no program
 * that saw the flow before the request can still be running, and the flow is gone: what comes from then on counts as
 * overflow until the entry is deleted and a new one can be made.
 */
#ifndef WEFT_BPF_TC_FLOW_H
#define WEFT_BPF_TC_FLOW_H

static const struct flow no_flow;
static const struct interface_totals no_totals;

/* ---- entries ---- */

static __noinline struct flow *flow_new(const struct flow_key *key) {
    if (bpf_map_update_elem(&flows, key, &no_flow, BPF_NOEXIST) == -E2BIG)
        return NULL;
    return bpf_map_lookup_elem(&flows, key); /* this CPU's, or another's that was faster */
}

/* NULL: there is no room. */
static __always_inline struct flow *flow_of(const struct flow_key *key) {
    struct flow *flow = bpf_map_lookup_elem(&flows, key);
    if (!flow)
        flow = flow_new(key);
    if (flow && flow->leaving && __sync_val_compare_and_swap(&flow->leaving, FLOW_ASKED, FLOW_STAYS) == FLOW_GONE)
        return NULL;
    return flow;
}

static __noinline struct interface_totals *totals_new(const struct interface_key *key) {
    bpf_map_update_elem(&interfaces, key, &no_totals, BPF_NOEXIST);
    return bpf_map_lookup_elem(&interfaces, key);
}

/* ---- what a packet tells ---- */

#define FLOW_ANSWERED (FLOW_FROM_CLIENT | FLOW_ISN_SERVER) /* the client's, whose SYN the server has answered */

static __always_inline __u32 segments_of(const struct __sk_buff *skb, const struct packet *packet) {
    if (skb->gso_segs)
        return skb->gso_segs;
    __u32 size = skb->gso_size, start = packet->payload ? packet->payload : packet->transport;
    return size && skb->len > start ? (skb->len - start + size - 1) / size : 1;
}

/* Of data that this hop has seen, one hole is remembered: the last. */
static __always_inline void follow_sequence(struct flow *flow, const struct packet *packet, __u32 length) {
    __u32 from = packet->sequence,
          to = from + length + !!(packet->tcp_flags & TCP_SYN) + !!(packet->tcp_flags & TCP_FIN);
    if (to == from)
        return;
    if (length)
        flow->payload_packets++;
    if (!(flow->flags & FLOW_SEQUENCE_KNOWN)) {
        flow->flags |= FLOW_SEQUENCE_KNOWN;
        flow->next_sequence = to;
        return;
    }
    __s32 ahead = from - flow->next_sequence;
    if (ahead > 0) {
        flow->holes++;
        flow->hole_start = flow->next_sequence;
        flow->hole_end = from;
    } else if (ahead < 0 && length) {
        if (flow->hole_start != flow->hole_end && (__s32)(from - flow->hole_start) >= 0 &&
            (__s32)(to - flow->hole_end) <= 0) {
            flow->out_of_order++;
            if (from == flow->hole_start)
                flow->hole_start = to;
            else if (to == flow->hole_end)
                flow->hole_end = from;
        } else
            flow->repeats++;
    }
    if ((__s32)(to - flow->next_sequence) > 0)
        flow->next_sequence = to;
}

static __always_inline void count_tcp(struct flow *flow, struct __sk_buff *skb, const struct packet *packet,
                                      __u64 now) {
    __u8 flags = packet->tcp_flags;
    if ((flow->flags & FLOW_ANSWERED) == FLOW_ANSWERED && !flow->ack_time && !(flags & (TCP_SYN | TCP_RST)))
        flow->ack_time = now;
    follow_sequence(flow, packet, packet->end - packet->payload);
    if (!packet->window && !(flags & (TCP_SYN | TCP_RST)))
        flow->zero_windows++;
    if (!(flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ECE | TCP_CWR)))
        return;
    if (flags & TCP_SYN) {
        flow->syn++;
        flow->mss = parse_mss(skb, packet->transport + sizeof(struct tcphdr), packet->payload);
    } else {
        flow->ecn_echo += !!(flags & TCP_ECE);
        flow->congestion_window_reduced += !!(flags & TCP_CWR);
    }
    flow->fin += !!(flags & TCP_FIN);
    flow->rst += !!(flags & TCP_RST);
    if (flags & (TCP_FIN | TCP_RST))
        flow->flags |= FLOW_CLOSED;
}

static __always_inline void count_network(struct flow *flow, const struct packet *packet) {
    if (!packet->key.family)
        return;
    if (packet->ttl < flow->ttl_min || !flow->ttl_max)
        flow->ttl_min = packet->ttl;
    if (packet->ttl > flow->ttl_max)
        flow->ttl_max = packet->ttl;
    if ((packet->traffic_class & 3) == 3)
        flow->ecn_ce++;
    if (packet->fragment)
        flow->fragments++;
    if (packet->dont_fragment && !(flow->flags & FLOW_DONT_FRAGMENT))
        flow->flags |= FLOW_DONT_FRAGMENT;
}

/* Bytes of the largest segment that this packet becomes, from `network` on. */
static __always_inline __u32 largest_of(const struct __sk_buff *skb, const struct packet *packet, __u32 network) {
    __u32 size = skb->gso_size, most = skb->len > network ? skb->len - network : 0;
    if (!size || !packet->payload || packet->payload < network)
        return most;
    __u32 segment = packet->payload - network + size;
    return segment < most ? segment : most;
}

static __always_inline void add(struct flow *flow, struct __sk_buff *skb, const struct packet *packet, __u64 now) {
    __u32 largest = largest_of(skb, packet, packet->network);
    __sync_fetch_and_add(&flow->packets, 1);
    __sync_fetch_and_add(&flow->segments, segments_of(skb, packet));
    __sync_fetch_and_add(&flow->bytes, skb->len);
    if (!flow->first_time)
        flow->first_time = now;
    flow->last_time = now;
    if (largest > flow->largest)
        flow->largest = largest;
    count_network(flow, packet);
    if (packet->key.protocol == IPPROTO_TCP && packet->tcp_flags)
        count_tcp(flow, skb, packet, now);
}

/* ---- leaving ---- */

/* Set by userspace before it runs `sweep`. */
__u64 sweep_now, idle_ns, closed_idle_ns;

static long ask_to_leave(struct bpf_map *map, const struct flow_key *key, struct flow *flow, void *context) {
    __u64 silent = flow->flags & FLOW_CLOSED ? closed_idle_ns : idle_ns;
    if (flow->leaving == FLOW_ASKED)
        __sync_val_compare_and_swap(&flow->leaving, FLOW_ASKED, FLOW_GONE);
    else if (flow->leaving == FLOW_STAYS && flow->last_time + silent <= sweep_now)
        __sync_val_compare_and_swap(&flow->leaving, FLOW_STAYS, FLOW_ASKED);
    return 0;
}

#endif
