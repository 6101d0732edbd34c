/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Troubles: what is told one by one, since when it happened matters. Segments sent again, resets, ICMP errors, and
 * connections that a full listener turned away.
 *
 * They go through a ring of a fixed size, so many of each kind in a second; what is more is counted. Totals never
 * depend on it: how often a socket sent again is read from the socket itself (tcp_sock.total_retrans, in the flow's
 * reading of its socket, in struct socket_seen and when it closes), drops are in their own map.
 */
#ifndef WEFT_BPF_TC_TROUBLE_H
#define WEFT_BPF_TC_TROUBLE_H

#define TROUBLES_PER_SECOND 1000 /* of one kind, on one CPU */
#define TROUBLE_KINDS 8          /* a power of two above the last kind */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, TROUBLE_KINDS);
    __type(key, __u32);
    __type(value, struct budget);
} trouble_budgets SEC(".maps");

/* A trouble with its kind and time set, the rest zero; NULL: counted as lost. To be submitted with trouble_submit. */
static __always_inline struct trouble *trouble_reserve(__u32 kind, __u64 now) {
    struct budget *budget = bpf_map_lookup_elem(&trouble_budgets, &kind);
    struct trouble *trouble = NULL;
    if (budget && budget_take(budget, now, TROUBLES_PER_SECOND))
        trouble = bpf_ringbuf_reserve(&troubles, sizeof(*trouble), 0);
    if (!trouble) {
        count(COUNTER_TROUBLES_LOST);
        return NULL;
    }
    __builtin_memset(trouble, 0, sizeof(*trouble));
    trouble->kind = kind;
    trouble->time = now;
    return trouble;
}

static __always_inline void trouble_submit(struct trouble *trouble) {
    bpf_ringbuf_submit(trouble, BPF_RB_NO_WAKEUP);
}

static bool is_watched(__u32 netns) {
    return netns && (!only_netns || netns == only_netns);
}

/* ---- whose ---- */

/* What the socket sends: local to remote. */
static void fill_from_socket(struct trouble *trouble, struct sock *sk) {
    struct drop_key key = {};
    if (!read_ends(sk, &key))
        return;
    __builtin_memcpy(trouble->source, key.source, 16);
    __builtin_memcpy(trouble->destination, key.destination, 16);
    trouble->source_port = key.source_port;
    trouble->destination_port = key.destination_port;
    trouble->family = key.family;
    trouble->protocol = IPPROTO_TCP;
    trouble->state = BPF_CORE_READ(sk, __sk_common.skc_state);
    trouble->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* The answer to this packet, to which there may be no socket. */
static void fill_from_packet(struct trouble *trouble, const struct sk_buff *skb) {
    struct dropped dropped = {};
    if (!read_packet(skb, &dropped))
        return;
    __builtin_memcpy(trouble->source, dropped.key.destination, 16);
    __builtin_memcpy(trouble->destination, dropped.key.source, 16);
    trouble->source_port = dropped.key.destination_port;
    trouble->destination_port = dropped.key.source_port;
    trouble->family = dropped.key.family;
    trouble->protocol = dropped.key.protocol;
}

/* What the socket was sent: remote to local. */
static void turn_round(struct trouble *trouble) {
    __u8 address[16];
    __u16 port = trouble->source_port;
    __builtin_memcpy(address, trouble->source, 16);
    __builtin_memcpy(trouble->source, trouble->destination, 16);
    __builtin_memcpy(trouble->destination, address, 16);
    trouble->source_port = trouble->destination_port;
    trouble->destination_port = port;
}

static __u32 netns_of_socket(struct sock *sk) {
    return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* ---- sent again ---- */

static int retransmitted(struct sock *sk, __u32 sequence, __u32 segments) {
    __u32 netns = netns_of_socket(sk);
    struct trouble *trouble = is_watched(netns) ? trouble_reserve(TROUBLE_RETRANSMIT, bpf_ktime_get_ns()) : NULL;
    if (!trouble)
        return 0;
    trouble->netns = netns;
    trouble->sequence = sequence;
    trouble->segments = segments;
    fill_from_socket(trouble, sk);
    trouble_submit(trouble);
    return 0;
}

/* As many segments as the kernel adds to TcpRetransSegs. Before Linux 6.15 what could not be sent is not told. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(segment_retransmitted, struct sock *sk, struct sk_buff *skb) {
    struct tcp_skb_cb *part = (struct tcp_skb_cb *)skb->cb;
    return retransmitted(sk, BPF_CORE_READ(part, seq), BPF_CORE_READ(part, tcp_gso_segs));
}

/* The listener's answer to a SYN; there is no socket but the request. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(syn_ack_retransmitted, struct sock *sk, struct request_sock *request) {
    struct tcp_request_sock *tcp = (struct tcp_request_sock *)request;
    __u32 netns = netns_of_socket(sk), sequence = BPF_CORE_READ(tcp, snt_isn);
    struct trouble *trouble = is_watched(netns) ? trouble_reserve(TROUBLE_RETRANSMIT, bpf_ktime_get_ns()) : NULL;
    if (!trouble)
        return 0;
    fill_from_socket(trouble, (struct sock *)request);
    trouble->netns = netns;
    trouble->sequence = sequence;
    trouble->segments = 1;
    trouble->isn = (__u64)BPF_CORE_READ(tcp, rcv_isn) << 32 | sequence;
    trouble_submit(trouble);
    return 0;
}

/* ---- resets ---- */

/* `sk` NULL: to somebody for whom there is no socket. `skb`: what was answered, NULL: nothing, the socket gave up. */
static __always_inline int reset(__u32 kind, struct sock *sk, const struct sk_buff *skb, __u32 reason) {
    __u32 ifindex = 0, netns = skb ? whereabouts(skb, sk, &ifindex) : sk ? netns_of_socket(sk) : 0;
    struct trouble *trouble = is_watched(netns) ? trouble_reserve(kind, bpf_ktime_get_ns()) : NULL;
    if (!trouble)
        return 0;
    trouble->netns = netns;
    trouble->ifindex = ifindex;
    trouble->reason = reason;
    if (sk)
        fill_from_socket(trouble, sk);
    if (skb)
        fill_from_packet(trouble, skb); /* a listener is nobody's peer */
    trouble_submit(trouble);
    return 0;
}

/* Before Linux 6.10 there is no reason, and nothing is told when there is no socket. */
SEC("tp_btf/tcp_send_reset")
int reset_sent(__u64 *context) {
    __u32 reason = bpf_core_type_exists(enum sk_rst_reason) ? context[2] : 0;
    return reset(TROUBLE_RESET_SENT, (struct sock *)context[0], (struct sk_buff *)context[1], reason);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(reset_received, struct sock *sk) {
    __u32 netns = netns_of_socket(sk);
    struct trouble *trouble = is_watched(netns) ? trouble_reserve(TROUBLE_RESET_RECEIVED, bpf_ktime_get_ns()) : NULL;
    if (!trouble)
        return 0;
    trouble->netns = netns;
    fill_from_socket(trouble, sk);
    turn_round(trouble);
    trouble_submit(trouble);
    return 0;
}

/* ---- ICMP errors ---- */

static bool is_icmp_error(__u8 family, __u8 type) {
    return family == 4 ? type == 3 || type == 4 || type == 5 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

/* The packet that the error quotes, cut as it may be: 8 bytes of its transport header are sure. */
static int read_quoted(struct __sk_buff *skb, __u32 offset, struct trouble *trouble) {
    __u8 ip[40];
    struct {
        __be16 source, destination;
        __be32 sequence;
    } transport = {};
    if (bpf_skb_load_bytes(skb, offset, ip, 20))
        return -1;
    if (trouble->family == 4) {
        if (ip[0] >> 4 != 4)
            return -1;
        trouble->protocol = ip[9];
        __builtin_memcpy(trouble->source, ip + 12, 4);
        __builtin_memcpy(trouble->destination, ip + 16, 4);
        offset += (ip[0] & 15) * 4;
    } else {
        if (ip[0] >> 4 != 6 || bpf_skb_load_bytes(skb, offset, ip, 40))
            return -1;
        trouble->protocol = ip[6];
        __builtin_memcpy(trouble->source, ip + 8, 16);
        __builtin_memcpy(trouble->destination, ip + 24, 16);
        offset += 40;
    }
    bpf_skb_load_bytes(skb, offset, &transport, sizeof(transport));
    trouble->source_port = bpf_ntohs(transport.source);
    trouble->destination_port = bpf_ntohs(transport.destination);
    if (trouble->protocol == IPPROTO_TCP)
        trouble->sequence = bpf_ntohl(transport.sequence);
    return 0;
}

/*
 * For the parser of packets: an ICMP or ICMPv6 message at `offset` (0: it is not there), seen where `key` says, whose
 * source is the sender. What is no error is left alone.
 */
static __noinline int icmp_seen(struct __sk_buff *skb, __u32 offset, const struct flow_key *key) {
    __u8 header[8];
    if (!key || !offset || bpf_skb_load_bytes(skb, offset, header, sizeof(header)) ||
        !is_icmp_error(key->family, header[0]))
        return 0;
    struct trouble *trouble = trouble_reserve(TROUBLE_ICMP_ERROR, bpf_ktime_get_ns());
    if (!trouble)
        return 0;
    trouble->netns = key->netns;
    trouble->ifindex = key->ifindex;
    trouble->way = key->way;
    trouble->family = key->family;
    trouble->icmp_type = header[0];
    trouble->icmp_code = header[1];
    if (key->family == 4 && header[0] == 3 && header[1] == 4)
        trouble->icmp_mtu = header[6] << 8 | header[7];
    else if (key->family == 6 && header[0] == 2)
        trouble->icmp_mtu = header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7];
    __builtin_memcpy(trouble->icmp_sender, key->source, 16);
    if (read_quoted(skb, offset + 8, trouble))
        bpf_ringbuf_discard(trouble, BPF_RB_NO_WAKEUP);
    else
        trouble_submit(trouble);
    return 0;
}

#endif
