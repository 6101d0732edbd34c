/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * UDP: sessions of a socket with a peer, their totals, and the heads of datagrams that a parser may want.
 *
 * An unconnected socket does not know its peer when the socket hooks fire; the cgroup hooks that run just before, in
 * the same system call, do, and leave it with the thread. Totals are kept in a bounded map that userspace reads once
 * a window; a socket that closes after speaking with one peer only takes its session out of the map and sends the
 * totals as a record.
 */
#ifndef WEFT_BPF_SOCK_DATAGRAM_H
#define WEFT_BPF_SOCK_DATAGRAM_H

#define DATAGRAM_HEAD 1024   /* bytes shown of one */
#define DATAGRAMS_UNKNOWN 16 /* of a session; later ones are only counted, unless they look like DNS */
#define SOCK_BINDPORT_LOCK 8 /* include/net/sock.h: the port was chosen by the program */
#define DNS_HEADER 12

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct session_key);
    __type(value, struct session_totals);
} sessions SEC(".maps");

/* ---- the peer ---- */

/* The context is read by the program itself: the verifier takes it at fixed offsets only. */
static void tell_peer(const __u32 words[4], __u16 family, __u32 port, __u64 cookie) {
    __u64 thread = bpf_get_current_pid_tgid();
    struct call_state fresh = {}, *state = bpf_map_lookup_elem(&calls, &thread);
    if (!state) {
        bpf_map_update_elem(&calls, &thread, &fresh, BPF_ANY);
        state = bpf_map_lookup_elem(&calls, &thread);
        if (!state)
            return;
    }
    bool mapped = family == AF_INET6 && !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
    __u32 *address = (__u32 *)state->peer_address;
    address[0] = mapped ? words[3] : words[0];
    address[1] = mapped ? 0 : words[1];
    address[2] = mapped ? 0 : words[2];
    address[3] = mapped ? 0 : words[3];
    state->peer_family = mapped ? AF_INET : family;
    state->peer_port = bpf_ntohs(port);
    state->cookie = cookie;
}

static void tell_peer4(struct bpf_sock_addr *context) {
    __u32 words[4] = {context->user_ip4};
    tell_peer(words, AF_INET, context->user_port, bpf_get_socket_cookie(context));
}

static void tell_peer6(struct bpf_sock_addr *context) {
    __u32 words[4] = {context->user_ip6[0], context->user_ip6[1], context->user_ip6[2], context->user_ip6[3]};
    tell_peer(words, AF_INET6, context->user_port, bpf_get_socket_cookie(context));
}

/* Takes what a hook left for this socket, else the socket's own peer. */
static bool peer_of(struct sock *sk, struct conn *conn, struct session_key *key) {
    __u64 thread = bpf_get_current_pid_tgid();
    struct call_state *state = bpf_map_lookup_elem(&calls, &thread);
    key->cookie = conn->cookie;
    if (state && state->peer_family && state->cookie == conn->cookie) {
        __builtin_memcpy(key->address, state->peer_address, sizeof(key->address));
        key->port = state->peer_port;
        key->family = state->peer_family;
        state->peer_family = 0;
        return true;
    }
    if (sk->__sk_common.skc_state != BPF_TCP_ESTABLISHED) { /* UDP uses it for "connected" */
        *key = conn->session; /* recv() does not ask from whom: then from the only one it spoke with */
        return conn->sessions == 1;
    }
    key->port = bpf_ntohs(sk->__sk_common.skc_dport);
    if (sk->__sk_common.skc_family == AF_INET6 && !is_v4_mapped(&sk->__sk_common.skc_v6_daddr)) {
        key->family = AF_INET6;
        bpf_probe_read_kernel(key->address, 16, &sk->__sk_common.skc_v6_daddr);
    } else {
        key->family = AF_INET;
        *(__u32 *)key->address = sk->__sk_common.skc_daddr;
    }
    return true;
}

/* ---- sessions ---- */

/*
 * Who spoke first is the client; of a socket older than the agent, the one whose port was not chosen by it.
 * sk_userlocks is a bit field or not, by kernel.
 */
static void session_role(struct sock *sk, struct conn *conn, struct session_totals *totals, bool egress) {
    totals->proof = PROOF_FIRST;
    totals->role = egress ? ROLE_CLIENT : ROLE_SERVER;
    if (conn->flags & FLAG_FOUND_OPEN) {
        totals->proof = PROOF_LISTEN;
        totals->role = BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK ? ROLE_SERVER : ROLE_CLIENT;
    }
}

static struct session_totals *session_of(struct sock *sk, struct conn *conn, const struct session_key *key, bool egress,
                                         __u64 now) {
    struct session_totals *totals = bpf_map_lookup_elem(&sessions, key);
    if (totals)
        return totals;
    struct session_totals fresh = {.first_time = now};
    session_role(sk, conn, &fresh, egress);
    bpf_map_update_elem(&sessions, key, &fresh, BPF_NOEXIST);
    totals = bpf_map_lookup_elem(&sessions, key);
    if (!totals) {
        count(COUNTER_SESSIONS_FULL, 1);
        return NULL;
    }
    conn->sessions++;
    conn->session = *key;
    return totals;
}

/* ---- heads ---- */

/* RFC 1035, 4.1.1: a known opcode, the reserved bit clear, one question, and not more records than fit. */
static bool looks_like_dns(const char *bytes, __u32 length) {
    const __u8 *b = (const __u8 *)bytes;
    __u32 opcode = b[2] >> 3 & 15;
    return length > DNS_HEADER && opcode <= 5 && !(b[3] & 0x40) && b[4] == 0 && b[5] <= 1 && b[6] < 4 && b[8] < 4 &&
           b[10] < 4;
}

/* How much is copied: a head while the session is unknown, then only of what looks like DNS. */
static __u32 copy_head(struct sock *sk, struct conn *conn, struct data_scratch *space,
                       const struct session_totals *totals, __u32 length, __u32 slot) {
    __u32 head = length < DATAGRAM_HEAD ? length : DATAGRAM_HEAD;
    user_runs(sk, conn, &space->runs);
    if (totals->copied >= DATAGRAMS_UNKNOWN) {
        __u32 seen = copy_runs(slot, 0, head < 2 * DNS_HEADER ? head : 2 * DNS_HEADER);
        if (!looks_like_dns(space->payload, seen))
            return 0;
    }
    return copy_runs(slot, 0, head);
}

static void send_datagram(struct sock *sk, struct conn *conn, const struct session_key *key,
                          struct session_totals *totals, __u32 length, bool egress, __u64 now, __u32 slot) {
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    void *ring = ring_at(conn->ring);
    __u32 copied = space && ring ? copy_head(sk, conn, space, totals, length, slot) : 0;
    if (!copied || !space || !ring)
        return;
    totals->copied++;
    space->datagram = (struct record_datagram){
        .kind = RECORD_DATAGRAM,
        .captured = copied,
        .time = now,
        .cookie = conn->cookie,
        .peer_port = key->port,
        .family = key->family,
        .egress = egress,
        .role = totals->role,
        .proof = totals->proof,
        .length = length,
        .lost = conn->lost,
    };
    __builtin_memcpy(space->datagram.peer_address, key->address, sizeof(key->address));
    __u64 size = sizeof(space->datagram) + (copied & PAYLOAD_MASK);
    if (!(conn->flags & FLAG_OPENED_SENT) || bpf_ringbuf_output(ring, space, size, BPF_RB_NO_WAKEUP)) {
        count(COUNTER_RING_FULL_DATA, 1);
        conn->lost++;
        return;
    }
    wake_agent(conn->ring, ring);
}

/* ---- operations ---- */

/*
 * Not inlined: the stack of TCP's part and of this one together would be too much for older kernels, which round each
 * frame up. Gives 0: a void function may leave a stack pointer where its result would be, which the verifier refuses.
 */
static __noinline int datagram_operation(struct sock *sk, __u32 length, bool egress, __u32 slot) {
    struct conn *conn = conn_of(sk);
    if (!conn || (conn->flags & FLAG_IGNORED))
        return 0;
    __u64 now = bpf_ktime_get_ns();
    conn->ring = 0; /* sessions of one socket have many peers, and both ends of each shall meet */
    conn->local_port = sk->__sk_common.skc_num;
    refresh_owner(sk, conn, bpf_get_current_task_btf(), now);
    if (conn->flags & FLAG_IGNORED)
        return 0;
    __sync_fetch_and_add(egress ? &conn->sent : &conn->received, length);
    conn->last_time = now;
    struct session_key key = {};
    if (!peer_of(sk, conn, &key)) {
        count(COUNTER_PEER_UNKNOWN, 1);
        return 0;
    }
    struct session_totals unlisted = {}, *totals = session_of(sk, conn, &key, egress, now);
    if (!totals) {
        totals = &unlisted;
        session_role(sk, conn, totals, egress);
    }
    __sync_fetch_and_add(egress ? &totals->datagrams_sent : &totals->datagrams_received, 1);
    __sync_fetch_and_add(egress ? &totals->bytes_sent : &totals->bytes_received, length);
    totals->last_time = now;
    send_datagram(sk, conn, &key, totals, length, egress, now, slot);
    return 0;
}

static void send_session(struct conn *conn) {
    struct session_totals *totals = bpf_map_lookup_elem(&sessions, &conn->session);
    void *ring = ring_at(0);
    struct record_session *record = totals && ring ? bpf_ringbuf_reserve(ring, sizeof(*record), 0) : NULL;
    if (!record) {
        if (totals)
            count(COUNTER_RING_FULL_OTHER, 1); /* the totals stay in the map until the session is idle */
        return;
    }
    record->kind = RECORD_SESSION;
    record->pad = 0;
    record->key = conn->session;
    record->totals = *totals;
    bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    bpf_map_delete_elem(&sessions, &conn->session);
}

/* ---- sockets that wait to be spoken to ---- */

/*
 * A server's socket is told when it is bound, so that who sends to it is known to send to its owner before that has
 * read anything. Its first operation tells of it once more: its address may be known better then.
 */
static void datagram_bound(struct bpf_sock *context, __u16 family, const __u32 words[4], __u16 port) {
    const struct sock *sk = (const struct sock *)context; /* which it is: the verifier lets only some fields be used */
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct conn *conn = bpf_sk_storage_get(&conns, context, 0, BPF_SK_STORAGE_GET_F_CREATE);
    struct record_owner *owner = bpf_sk_storage_get(&owners, context, 0, BPF_SK_STORAGE_GET_F_CREATE);
    __u32 netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    if (!conn || !owner) {
        count(COUNTER_STORAGE_REFUSED, 1);
        return;
    }
    stamp(owner);
    if (owner->tgid == self_tgid || (only_netns && netns != only_netns))
        conn->flags |= FLAG_IGNORED;
    conn->cookie = bpf_get_socket_cookie(context);
    conn->local_port = port;
    void *ring = ring_at(0);
    if (!ring || (conn->flags & (FLAG_IGNORED | FLAG_OPENED_SENT)))
        return;
    struct record_opened opened = {.kind = RECORD_OPENED,
                                   .family = family,
                                   .transport = TRANSPORT_UDP,
                                   .time = bpf_ktime_get_ns(),
                                   .cookie = conn->cookie,
                                   .owner = *owner,
                                   .local_port = port};
    bool mapped = family == AF_INET6 && !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
    __u32 *address = (__u32 *)opened.local_address;
    opened.family = mapped ? AF_INET : family;
    address[0] = mapped ? words[3] : words[0];
    address[1] = mapped ? 0 : words[1];
    address[2] = mapped ? 0 : words[2];
    address[3] = mapped ? 0 : words[3];
    opened.owner.netns = netns;
    bpf_probe_read_kernel_str(opened.command, sizeof(opened.command), task->comm);
    if (bpf_ringbuf_output(ring, &opened, sizeof(opened), BPF_RB_NO_WAKEUP)) {
        count(COUNTER_RING_FULL_OPENED, 1);
        return;
    }
    conn->flags |= FLAG_BOUND_SENT;
    wake_agent(0, ring);
}

/* The same of one that is older than the agent, if its port was chosen by the program. */
static void datagram_found(struct sock *sk, struct conn *conn) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    conn->flags |= FLAG_FOUND_OPEN;
    conn->ring = 0;
    if (!owner || !owner->tgid || (conn->flags & FLAG_IGNORED) || owner->tgid == self_tgid ||
        !(BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK))
        return;
    if (!send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0))
        conn->flags = (conn->flags & ~FLAG_OPENED_SENT) | FLAG_BOUND_SENT;
}

static void datagram_closed(struct conn *conn) {
    if (!(conn->flags & (FLAG_OPENED_SENT | FLAG_BOUND_SENT)) || (conn->flags & FLAG_IGNORED))
        return;
    if (conn->sessions == 1)
        send_session(conn);
    struct record_closed closed = {
        .kind = RECORD_CLOSED,
        .transport = TRANSPORT_UDP,
        .time = bpf_ktime_get_ns(),
        .cookie = conn->cookie,
        .last_time = conn->last_time,
        .lost = conn->lost,
        .bytes_sent = conn->sent,
        .bytes_received = conn->received,
    };
    send_close(&closed, 0);
}

#endif
