/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which connection a flow is: its two initial sequence numbers, when its handshake passed here, and when its tuple
 * begins to serve another connection.
 *
 * The client's number is its SYN's own; the SYN-ACK finds it in the SYN's flow, at the same interface and reversed,
 * since what it acknowledges is more than that number under Fast Open. Only where no SYN was seen is it taken for
 * that.
 */
#ifndef WEFT_BPF_TC_HANDSHAKE_H
#define WEFT_BPF_TC_HANDSHAKE_H

/* The flow of the answers: at this interface, the other way; at lo both ways see all, so one may be missing. */
static __always_inline struct flow *reverse_of(const struct flow_key *key) {
    struct flow_key reverse = *key;
    __builtin_memcpy(reverse.source, key->destination, sizeof(reverse.source));
    __builtin_memcpy(reverse.destination, key->source, sizeof(reverse.destination));
    reverse.source_port = key->destination_port;
    reverse.destination_port = key->source_port;
    reverse.way = !key->way;
    struct flow *flow = bpf_map_lookup_elem(&flows, &reverse);
    if (flow)
        return flow;
    reverse.way = key->way;
    return bpf_map_lookup_elem(&flows, &reverse);
}

static __always_inline void report_reuse(const struct flow_key *key, const struct flow *flow, __u64 now) {
    struct trouble_reused *reused = bpf_ringbuf_reserve(&troubles, sizeof(*reused), 0);
    if (!reused) {
        count(COUNTER_REUSED_UNREPORTED);
        return;
    }
    __builtin_memset(&reused->trouble, 0, sizeof(reused->trouble));
    reused->trouble.kind = TROUBLE_REUSED;
    reused->trouble.time = now;
    reused->trouble.isn = flow->isn;
    __builtin_memcpy(reused->trouble.source, key->source, sizeof(key->source));
    __builtin_memcpy(reused->trouble.destination, key->destination, sizeof(key->destination));
    reused->trouble.source_port = key->source_port;
    reused->trouble.destination_port = key->destination_port;
    reused->trouble.netns = key->netns;
    reused->trouble.ifindex = key->ifindex;
    reused->trouble.family = key->family;
    reused->trouble.protocol = key->protocol;
    reused->trouble.way = key->way;
    reused->key = *key;
    reused->flow = *flow;
    bpf_ringbuf_submit(reused, BPF_RB_NO_WAKEUP);
}

/* Another connection takes the tuple over: all that does not count up begins anew. */
static __always_inline void take_over(const struct flow_key *key, struct flow *flow, __u64 now) {
    report_reuse(key, flow, now);
    flow->generation++;
    flow->flags = 0;
    flow->first_time = now;
    flow->isn = flow->syn_time = flow->syn_ack_time = flow->ack_time = flow->socket_time = 0;
    __builtin_memset(&flow->source_end, 0, sizeof(flow->source_end));
    __builtin_memset(&flow->destination_end, 0, sizeof(flow->destination_end));
    flow->next_sequence = flow->hole_start = flow->hole_end = flow->largest = 0;
    flow->mss = flow->ttl_min = flow->ttl_max = 0;
    flow->srtt_us = flow->min_rtt_us = flow->cwnd = flow->lost = flow->total_retransmits = flow->segments_out = 0;
}

static __always_inline void syn(const struct packet *packet, struct flow *flow, __u64 now) {
    bool same = flow->flags & FLOW_SYN_SEEN ? flow->isn >> 32 == packet->sequence : !flow->packets;
    if (!same)
        take_over(&packet->key, flow, now);
    if (!flow->syn_time)
        flow->syn_time = now;
    flow->isn = (__u64)packet->sequence << 32 | (flow->isn & 0xffffffff);
    flow->flags |= FLOW_SYN_SEEN | FLOW_ISN_CLIENT | FLOW_FROM_CLIENT;
}

/* A listener may answer the same SYN again with another number: that is no other connection. */
static __always_inline void syn_ack(const struct packet *packet, struct flow *flow, __u64 now) {
    struct flow *asked = reverse_of(&packet->key);
    bool found = asked && (asked->flags & FLOW_ISN_CLIENT);
    __u64 client = found ? asked->isn >> 32 : packet->acknowledgement - 1;
    bool same = flow->flags & FLOW_SYN_SEEN ? flow->isn >> 32 == client : !flow->packets;
    if (!same)
        take_over(&packet->key, flow, now);
    if (!flow->syn_ack_time)
        flow->syn_ack_time = now;
    flow->isn = client << 32 | packet->sequence;
    flow->flags |= FLOW_SYN_SEEN | FLOW_ISN_CLIENT | FLOW_ISN_SERVER | FLOW_FROM_SERVER;
    if (!found)
        return;
    asked->isn = flow->isn;
    __sync_fetch_and_or(&asked->flags, FLOW_ISN_SERVER);
}

/* Of a packet with SYN, before it is added to its flow. */
__noinline int handshake(const struct packet *packet, struct flow *flow, __u64 now) {
    if (!packet || !flow)
        return 0;
    if (packet->tcp_flags & TCP_ACK)
        syn_ack(packet, flow, now);
    else
        syn(packet, flow, now);
    return 0;
}

#endif
