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

/* ---- entries ---- */

static __always_inline struct interface_place *place_of(const struct flow_key *flow) {
    struct interface_key key = {.netns = flow->netns, .ifindex = flow->ifindex};
    return bpf_map_lookup_elem(&interfaces, &key);
}

static __always_inline struct interface_totals *totals_at(__u32 slot) {
    return bpf_map_lookup_elem(&totals, &slot);
}

/* A new flow is in the table before its slot stands in it. */
static __always_inline struct interface_totals *totals_of(const struct flow_key *key, struct flow *flow) {
    if (!flow->slot) {
        struct interface_place *place = place_of(key);
        flow->slot = place ? place->slot : 0;
    }
    return totals_at(flow->slot);
}

/* There is no room for this packet's flow. Where it is one in a tunnel, the one outside has been counted already. */
static __noinline int refuse(const struct flow_key *key, __u32 bytes) {
    struct interface_place *place = place_of(key);
    struct interface_totals *sum = place ? totals_at(place->slot) : NULL;
    __u8 way = key->way & 1;
    count(COUNTER_FLOWS_FULL);
    if (!sum || key->tunnel)
        return 0;
    sum->packets[way]++;
    sum->bytes[way] += bytes;
    sum->overflow_packets[way]++;
    sum->overflow_bytes[way] += bytes;
    return 0;
}

/* NULL: there is no room, or the interface is not known; counted. */
static __noinline struct flow *flow_new(const struct flow_key *key, __u32 bytes) {
    struct flow *flow = NULL;
    if (!place_of(key)) {
        count(COUNTER_INTERFACES_FULL);
        return NULL;
    }
    if (bpf_map_update_elem(&flows, key, &no_flow, BPF_NOEXIST) != -E2BIG)
        flow = bpf_map_lookup_elem(&flows, key); /* this CPU's, or another's that was faster */
    if (!flow)
        refuse(key, bytes);
    return flow;
}

/* NULL: as above. */
static __always_inline struct flow *flow_of(const struct flow_key *key, __u32 bytes) {
    struct flow *flow = bpf_map_lookup_elem(&flows, key);
    if (!flow)
        return flow_new(key, bytes);
    if (flow->leaving && __sync_val_compare_and_swap(&flow->leaving, FLOW_ASKED, FLOW_STAYS) == FLOW_GONE) {
        refuse(key, bytes);
        return NULL;
    }
    return flow;
}

/* ---- what a packet tells ---- */

/* The client's, whose SYN the server has answered: what it sends next confirms. */
static __always_inline bool is_answered(const struct flow *flow) {
    return (flow->flags & (FLOW_FROM_CLIENT | FLOW_ISN_SERVER | FLOW_CONFIRMED)) ==
           (FLOW_FROM_CLIENT | FLOW_ISN_SERVER);
}

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
    if (is_answered(flow) && !(flags & (TCP_SYN | TCP_RST))) {
        flow->ack_time = now;
        flow->flags |= FLOW_CONFIRMED;
    }
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
    if (now > flow->last_time)
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
