/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whose packets a flow has: the sockets at its two ends, as far as this hop can see them, and what the sender's says.
 *
 * The sender's socket comes with the packet at its first hops. The receiver's is looked up where it can be: at
 * ingress in the interface's own network namespace, at egress to a veth in that of its peer, at lo either way. That
 * is done once for a flow, with a few more tries: a connection that is being made finds its listener first, and a
 * socket may get its owner later than its first packet.
 *
 * Of a packet in a tunnel the sender's socket is that of the packet inside, unless a program made the tunnel itself.
 */
#ifndef WEFT_BPF_TC_STAMP_H
#define WEFT_BPF_TC_STAMP_H

#include "../owners.h"

#define SOCK_RAW 3
#define LOOKS_FOR_ANY 3    /* tries while there is no socket */
#define LOOKS_FOR_OWNER 24 /* tries while there is one, or a listener, but not the last word */
#define LOOKS_DONE 255
#define SOCKET_READ_NS 100000000ULL
#define AF_INET 2

static __always_inline bool is_settled(const struct flow_end *end) {
    return end->looked >= (end->state == END_NONE ? LOOKS_FOR_ANY : LOOKS_FOR_OWNER);
}

/* What the end is now known to be; what was known before is not forgotten for less. */
static __always_inline void settle(struct flow_end *end, struct bpf_sock *sk, __u8 state, __u64 cookie, bool last) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (owner)
        end->owner = *owner;
    if (cookie)
        end->cookie = cookie;
    end->state = state;
    if (last && end->cookie && owner && owner->tgid)
        end->looked = LOOKS_DONE;
}

/*
 * The helper that gives a cookie takes a packet here, not a socket. A pointer to a socket is its address: read back
 * from the stack it is a number. 0: nobody has asked for this socket's cookie so far.
 */
static __always_inline __u64 cookie_of(struct bpf_sock *sk) {
    struct bpf_sock *volatile pointer = sk;
    struct sock_common *common = NULL;
    bpf_probe_read_kernel(&common, sizeof(common), (const void *)&pointer);
    return BPF_CORE_READ(common, skc_cookie.counter);
}

/* ---- the sender ---- */

/* Is this socket, which the packet has, the sender's, and of this flow? A kernel's own has no owner. */
static __always_inline bool is_source(struct bpf_sock *sk, const struct flow_key *key) {
    if (sk->type == SOCK_RAW)
        return bpf_sk_storage_get(&owners, sk, 0, 0);
    if (sk->protocol != key->protocol)
        return false;
    /* A program before this one may have given the packet to its receiver. */
    return key->way == FLOW_EGRESS || sk->src_port == key->source_port || sk->src_port != key->destination_port;
}

__noinline int stamp_source(struct __sk_buff *skb, const struct flow_key *key, struct flow *flow) {
    struct bpf_sock *sk = skb->sk, *full;
    if (!sk || !key || !flow)
        return 0;
    flow->source_end.looked++;
    full = bpf_sk_fullsock(sk);
    if (full) {
        if (is_source(full, key))
            settle(&flow->source_end, full, END_SOCKET, bpf_get_socket_cookie(skb), true);
        return 0;
    }
    /* A connection that is being accepted: the cookie is its own already. */
    full = bpf_get_listener_sock(sk);
    if (full && key->protocol == IPPROTO_TCP && full->src_port == key->source_port)
        settle(&flow->source_end, full, END_LISTENER, bpf_get_socket_cookie(skb), false);
    return 0;
}

/* ---- the receiver ---- */

static __always_inline __u32 tuple_of(const struct flow_key *key, struct bpf_sock_tuple *tuple) {
    if (key->family == 4) {
        tuple->ipv4.saddr = *(__u32 *)key->source;
        tuple->ipv4.daddr = *(__u32 *)key->destination;
        tuple->ipv4.sport = bpf_htons(key->source_port);
        tuple->ipv4.dport = bpf_htons(key->destination_port);
        return sizeof(tuple->ipv4);
    }
    __builtin_memcpy(tuple->ipv6.saddr, key->source, 16);
    __builtin_memcpy(tuple->ipv6.daddr, key->destination, 16);
    tuple->ipv6.sport = bpf_htons(key->source_port);
    tuple->ipv6.dport = bpf_htons(key->destination_port);
    return sizeof(tuple->ipv6);
}

/* Which network namespace the receiver's socket would be in, as the lookup wants it; false: not known here. */
static __always_inline bool receiving_netns(const struct flow_key *key, __u32 link_type, __u64 *ret_id) {
    struct interface_key interface = {.netns = key->netns, .ifindex = key->ifindex};
    __s32 *id;
    *ret_id = BPF_F_CURRENT_NETNS;
    if (key->way == FLOW_INGRESS || link_type == ARPHRD_LOOPBACK)
        return true;
    id = bpf_map_lookup_elem(&link_netns, &interface);
    if (!id || *id < 0)
        return false;
    *ret_id = *id;
    return true;
}

static __always_inline void stamp_tcp(struct __sk_buff *skb, const struct flow_key *key, struct flow_end *end,
                                      __u64 id) {
    struct bpf_sock_tuple tuple = {};
    __u32 size = tuple_of(key, &tuple);
    struct bpf_sock *sk = size == sizeof(tuple.ipv4) ? bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), id, 0)
                                                     : bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), id, 0);
    if (!sk)
        return;
    struct bpf_sock *full = bpf_sk_fullsock(sk), *listener = full ? NULL : bpf_get_listener_sock(sk);
    if (full && full->state == BPF_TCP_LISTEN)
        settle(end, full, END_LISTENER, 0, false);
    else if (full)
        settle(end, full, END_SOCKET, cookie_of(full), true);
    else if (listener)
        settle(end, listener, END_LISTENER, cookie_of(sk), false);
    bpf_sk_release(sk);
}

/* A socket that takes from anybody is bound there; whether DNAT sends the packet elsewhere is not known here. */
static __always_inline void stamp_udp(struct __sk_buff *skb, const struct flow_key *key, struct flow_end *end,
                                      __u64 id) {
    struct bpf_sock_tuple tuple = {};
    __u32 size = tuple_of(key, &tuple);
    struct bpf_sock *sk = size == sizeof(tuple.ipv4) ? bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), id, 0)
                                                     : bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), id, 0);
    if (!sk)
        return;
    settle(end, sk, sk->dst_port ? END_SOCKET : END_LISTENER, cookie_of(sk), true);
    bpf_sk_release(sk);
}

__noinline int stamp_destination(struct __sk_buff *skb, const struct flow_key *key, struct flow *flow,
                                 __u32 link_type) {
    __u64 id;
    if (!key || !flow)
        return 0;
    struct flow_end *end = &flow->destination_end;
    bool can_look = (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP) && key->family &&
                    receiving_netns(key, link_type, &id);
    if (end->state == END_UNKNOWN)
        end->state = END_NONE;
    if (!can_look) {
        end->looked = LOOKS_DONE;
        return 0;
    }
    end->looked++;
    if (key->protocol == IPPROTO_TCP)
        stamp_tcp(skb, key, end, id);
    else
        stamp_udp(skb, key, end, id);
    return 0;
}

/* ---- what the sender's socket says ---- */

__noinline int read_socket(struct __sk_buff *skb, struct flow *flow, __u64 now) {
    struct bpf_sock *sk = skb->sk;
    if (!sk || !flow)
        return 0;
    flow->socket_time = now;
    sk = bpf_sk_fullsock(sk);
    struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;
    if (!tcp)
        return 0;
    flow->srtt_us = tcp->srtt_us >> 3;
    flow->min_rtt_us = tcp->rtt_min;
    flow->cwnd = tcp->snd_cwnd;
    flow->lost = tcp->lost_out;
    flow->total_retransmits = tcp->total_retrans;
    flow->segments_out = tcp->segs_out;
    return 0;
}

/* ---- both ---- */

static __always_inline void find_source(struct __sk_buff *skb, const struct packet *packet, struct flow *flow) {
    if (skb->sk && !packet->inner)
        stamp_source(skb, &packet->key, flow);
    if (flow->source_end.state == END_UNKNOWN)
        flow->source_end.state = END_NONE;
    if (is_settled(&flow->source_end))
        flow->flags |= FLOW_SOURCE_SETTLED;
}

/* For a packet in a tunnel nobody receives at this hop. */
static __always_inline void find_destination(struct __sk_buff *skb, const struct packet *packet, struct flow *flow,
                                             __u32 link_type) {
    if (!packet->key.tunnel)
        stamp_destination(skb, &packet->key, flow, link_type);
    if (packet->key.tunnel || is_settled(&flow->destination_end))
        flow->flags |= FLOW_DESTINATION_SETTLED;
}

static __always_inline void stamp(struct __sk_buff *skb, const struct packet *packet, struct flow *flow,
                                  __u32 link_type, __u64 now) {
    if (!(flow->flags & FLOW_SOURCE_SETTLED))
        find_source(skb, packet, flow);
    if (!(flow->flags & FLOW_DESTINATION_SETTLED))
        find_destination(skb, packet, flow, link_type);
    if (packet->key.protocol == IPPROTO_TCP && !packet->inner && skb->sk &&
        (now - flow->socket_time >= SOCKET_READ_NS || (packet->tcp_flags & (TCP_FIN | TCP_RST))) &&
        flow->source_end.state == END_SOCKET)
        read_socket(skb, flow, now);
}

#endif
