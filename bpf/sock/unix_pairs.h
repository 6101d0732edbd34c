/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* AF_UNIX streams: how much passes between two processes, so that the map can say what it does not show. */
#ifndef WEFT_BPF_SOCK_UNIX_PAIRS_H
#define WEFT_BPF_SOCK_UNIX_PAIRS_H

#define SOCK_STREAM 1
#define SOCK_SEQPACKET 5

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct unix_pair);
    __type(value, struct unix_totals);
} unix_pairs SEC(".maps");

/* Sends only: each byte is counted once. The receiver is whoever connected, listened or made the pair. */
static __noinline int unix_send(struct sock *sk, __u32 length) {
    if ((sk->sk_type != SOCK_STREAM && sk->sk_type != SOCK_SEQPACKET) || (only_netns && netns_of(sk) != only_netns))
        return 0;
    struct unix_pair pair = {.sender = bpf_get_current_pid_tgid() >> 32};
    if (pair.sender == self_tgid)
        return 0;
    struct pid *peer = BPF_CORE_READ(sk, sk_peer_pid);
    pair.receiver = peer ? BPF_CORE_READ(peer, numbers[0].nr) : 0; /* as the initial pid namespace sees it */
    struct unix_totals fresh = {}, *totals = bpf_map_lookup_elem(&unix_pairs, &pair);
    if (!totals) {
        bpf_map_update_elem(&unix_pairs, &pair, &fresh, BPF_NOEXIST);
        totals = bpf_map_lookup_elem(&unix_pairs, &pair);
    }
    if (!totals) {
        count(COUNTER_UNIX_FULL, 1);
        return 0;
    }
    __sync_fetch_and_add(&totals->bytes, length);
    __sync_fetch_and_add(&totals->operations, 1);
    return 0;
}

#endif
