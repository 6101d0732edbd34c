/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where each socket stands: its queues, what its listener turned away, how often it sent again.
 *
 * The socket layer keeps the owner of every socket in `owners`; where the kernel lets a program iterate over such a
 * map, that meets the sockets of every network namespace. Where not, the files of every process do, and what waits in
 * the queues of listeners; sockets that no process holds any more are not met then. The caller reads struct
 * socket_seen one after the other; one socket may come more than once. Sockets are read without their lock: a queue
 * may be off by what moved in that moment.
 */
#ifndef WEFT_BPF_TC_SOCKETS_H
#define WEFT_BPF_TC_SOCKETS_H

#define WAITING_MOST 64 /* connections shown of those that wait at one listener */

struct numa_drop_counters___split { /* since Linux 6.18 */
    atomic_t drops0, drops1;
} __attribute__((preserve_access_index));
struct sock___counters {
    struct numa_drop_counters___split *sk_drop_counters;
} __attribute__((preserve_access_index));

struct udp_sock___queue {
    int forward_deficit;
} __attribute__((preserve_access_index));

static __u32 drops_of(struct sock *sk) {
    struct sock___counters *newer = (struct sock___counters *)sk;
    if (bpf_core_field_exists(newer->sk_drop_counters)) {
        struct numa_drop_counters___split *split = BPF_CORE_READ(newer, sk_drop_counters);
        if (split)
            return BPF_CORE_READ(split, drops0.counter) + BPF_CORE_READ(split, drops1.counter);
    }
    return BPF_CORE_READ(sk, sk_drops.counter);
}

/* A difference of two sequence numbers that another CPU may be moving. */
static __u32 between(__u32 from, __u32 to) {
    return (__s32)(to - from) > 0 ? to - from : 0;
}

static void see_stream(struct tcp_sock *tcp, struct socket_seen *seen) {
    seen->receive_queue = between(BPF_CORE_READ(tcp, copied_seq), BPF_CORE_READ(tcp, rcv_nxt));
    if (seen->receive_queue && seen->state != BPF_TCP_ESTABLISHED && BPF_CORE_READ((struct sock *)tcp, sk_shutdown) & 1)
        seen->receive_queue--; /* the peer's FIN counts as a byte */
    seen->send_queue = between(BPF_CORE_READ(tcp, snd_una), BPF_CORE_READ(tcp, write_seq));
    seen->retransmits = BPF_CORE_READ(tcp, total_retrans);
    seen->retransmits_now = BPF_CORE_READ(tcp, inet_conn.icsk_retransmits);
    seen->backoff = BPF_CORE_READ(tcp, inet_conn.icsk_backoff);
    seen->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
    seen->min_rtt_us = BPF_CORE_READ(tcp, rtt_min.s[0].v);
    seen->cwnd = BPF_CORE_READ(tcp, snd_cwnd);
    seen->lost = BPF_CORE_READ(tcp, lost_out);
    seen->segments_out = BPF_CORE_READ(tcp, segs_out);
    seen->segments_in = BPF_CORE_READ(tcp, segs_in);
}

/*
 * Of a socket by address: those that wait at a listener are no more than that. `seen` has the owner. Global, so that it
 * is verified once. 0: it is not to be shown.
 */
__noinline int see_socket(struct socket_seen *seen, __u64 address) {
    struct sock *sk = (struct sock *)address;
    struct drop_key key = {};
    if (!seen || !read_ends(sk, &key))
        return 0;
    seen->owner.netns = netns_of_socket(sk);
    if (!is_watched(seen->owner.netns))
        return 0;
    __builtin_memcpy(seen->local_address, key.source, 16);
    __builtin_memcpy(seen->remote_address, key.destination, 16);
    seen->local_port = key.source_port;
    seen->remote_port = key.destination_port;
    seen->family = key.family;
    seen->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
    seen->state = BPF_CORE_READ(sk, __sk_common.skc_state);
    seen->protocol = BPF_CORE_READ(sk, sk_protocol);
    seen->drops = drops_of(sk);
    if (seen->protocol == IPPROTO_UDP)
        seen->receive_queue = between(BPF_CORE_READ((struct udp_sock___queue *)sk, forward_deficit),
                                      BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter)); /* memory of its datagrams */
    else if (seen->state == BPF_TCP_LISTEN) {
        seen->receive_queue = BPF_CORE_READ(sk, sk_ack_backlog);
        seen->receive_queue_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
    } else
        see_stream((struct tcp_sock *)sk, seen);
    return 1;
}

/* The verifier keeps pointers and numbers apart; what a helper has read is a number. */
static __u64 address_of(struct sock *sk) {
    __u64 address = 0;
    bpf_probe_read_kernel(&address, sizeof(address), &sk);
    return address;
}

static void show_socket(struct seq_file *into, struct sock *sk, const struct record_owner *owner) {
    struct socket_seen seen = {.owner = *owner};
    if (see_socket(&seen, address_of(sk)))
        bpf_seq_write(into, &seen, sizeof(seen));
}

static bool is_shown(struct sock *sk) {
    __u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
    return (family == AF_INET || family == AF_INET6) && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

SEC("iter/bpf_sk_storage_map")
int owned_sockets(struct bpf_iter__bpf_sk_storage_map *context) {
    struct sock *sk = context->sk;
    struct record_owner *value = context->value;
    if (!sk || !value || !is_shown(sk))
        return 0;
    struct record_owner owner = *value;
    show_socket(context->meta->seq, sk, &owner);
    return 0;
}

/* Connections that are established and that nobody has accepted: their bytes wait, too. */
static void see_waiting(struct seq_file *into, struct sock *listener, struct record_owner *owner) {
    struct inet_connection_sock *queue = (struct inet_connection_sock *)listener;
    struct request_sock *request = BPF_CORE_READ(queue, icsk_accept_queue.rskq_accept_head);
    for (int i = 0; i < WAITING_MOST && request; i++) {
        struct sock *waiting = BPF_CORE_READ(request, sk);
        if (waiting)
            show_socket(into, waiting, owner);
        request = BPF_CORE_READ(request, dl_next);
    }
}

SEC("iter/task_file")
int held_sockets(struct bpf_iter__task_file *context) {
    struct file *file = context->file;
    struct task_struct *task = context->task;
    struct socket *socket = file && task ? bpf_sock_from_file(file) : NULL;
    struct sock *sk = socket ? socket->sk : NULL;
    if (!sk || !is_shown(sk))
        return 0;
    bpf_get_socket_cookie(sk); /* from now on it has one */
    struct record_owner *known = bpf_sk_storage_get(&owners, sk, 0, 0), owner = {};
    if (known && known->tgid)
        owner = *known; /* several processes may hold it */
    else {
        owner.tgid = task->tgid;
        owner.start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    }
    show_socket(context->meta->seq, sk, &owner);
    if (sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_state == BPF_TCP_LISTEN)
        see_waiting(context->meta->seq, sk, &owner);
    return 0;
}

#endif
