/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * TCP: when a connection lives, and the heads of what it sends and receives.
 *
 * A *turn* is a run of operations in one direction; the first bytes of a turn are what names a call, so only heads are
 * copied, by a policy that the first bytes of the connection choose. A client end whose peer is on this host copies
 * nothing: it only keeps the duration of each turn, eight to a record.
 */
#ifndef WEFT_BPF_SOCK_STREAM_H
#define WEFT_BPF_SOCK_STREAM_H

#define CHUNKS 16                /* records of one operation */
#define HANDSHAKE_TURNS 4        /* of TLS; what follows is closed to us */
#define PROGRESS_NS 1000000000LL /* how often a connection tells how far it is, if no bytes of it are shown */
#define SMALL_OPERATION 32       /* bytes; who reads or writes so few at a time has a head of many operations */
#define WHOLE_OPERATION 16       /* what an operation counts for in the limits below; a small one counts for one */
#define UNKNOWN_OPERATIONS 64    /* shown of a connection that fits nothing */

/* How much of an operation is copied. `first` for the one that starts a turn, `more` for those that continue it. */
struct copy_limits {
    __u32 request_first, request_more, response_first, response_more;
    __u32 operations; /* of one turn; later ones are only counted */
};
static const struct copy_limits limits[] = {
    [POLICY_UNKNOWN] = {PAYLOAD_MASK, 2048, 2048, 2048, 16},
    [POLICY_HEADS] = {PAYLOAD_MASK, 2048, 512, 512, 256},
    [POLICY_STREAM] = {CHUNKS * PAYLOAD_MASK, CHUNKS *PAYLOAD_MASK, CHUNKS *PAYLOAD_MASK, CHUNKS *PAYLOAD_MASK, 64},
    [POLICY_HANDSHAKE] = {2048, 2048, 64, 64, 2},
    [POLICY_OPAQUE] = {0, 0, 0, 0, 0},
};

/* Connections by their pair of initial sequence numbers: which ends are here. */
enum {
    END_CLIENT = 1,
    END_SERVER = 2,
    END_BLIND = 4, /* the server's end moves bytes that no hook shows */
    END_OWN = 8,   /* one end is the agent itself */
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 262144);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, __u64);
} ends SEC(".maps");

struct listen_key {
    __u32 netns, port;
};
struct port_listener {
    __u32 sockets; /* that listen on this port: several with SO_REUSEPORT, or on several addresses */
    __u32 flags;   /* END_BLIND, END_OWN: of all its connections */
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct listen_key);
    __type(value, struct port_listener);
} listeners SEC(".maps");

/* ---- the connection's name ---- */

/* A socket's own counters (include/linux/tcp.h). */
struct reading {
    __u64 bytes_acked, bytes_received;
    __u32 write_seq, snd_una, rcv_nxt, copied_seq;
    __u32 fin; /* 1: the peer's FIN came; it is counted by all three of the receiving side */
};

/* tcp_fin() marks the socket SOCK_DONE (include/net/sock.h: bit 1). */
static __u32 fin_received(const struct sock *sk) {
    return sk->__sk_common.skc_flags >> 1 & 1;
}

static void read_stream(struct tcp_sock *tcp, struct reading *ret_reading) {
    ret_reading->bytes_acked = tcp->bytes_acked;
    ret_reading->bytes_received = tcp->bytes_received;
    ret_reading->write_seq = tcp->write_seq;
    ret_reading->snd_una = tcp->snd_una;
    ret_reading->rcv_nxt = tcp->rcv_nxt;
    ret_reading->copied_seq = tcp->copied_seq;
    ret_reading->fin = fin_received(&tcp->inet_conn.icsk_inet.sk);
}

static __u64 stream_sent(const struct conn *conn, const struct reading *at) {
    return at->bytes_acked - (conn->role == ROLE_CLIENT) + (__u32)(at->write_seq - at->snd_una);
}

static __u64 stream_received(const struct reading *at) {
    return at->bytes_received - (__u32)(at->rcv_nxt - at->copied_seq) - (at->fin && at->rcv_nxt == at->copied_seq);
}

/* Both initial sequence numbers; the formulas' derivation stands in docs/architecture.md. */
static __u64 isn_of(const struct conn *conn, const struct reading *at) {
    __u32 own = at->snd_una - (__u32)at->bytes_acked;
    __u32 peer = at->rcv_nxt - (__u32)at->bytes_received - 1;
    return conn->role == ROLE_CLIENT ? (__u64)own << 32 | peer : (__u64)peer << 32 | (__u32)(own - 1);
}

static void name_connection(struct conn *conn, __u64 isn) {
    conn->isn = isn;
    conn->ring = ring_of(isn);
}

/* Without the socket's lock a reading may be torn, so it counts only when two in a row agree; four are tried. */
static void read_isn(struct conn *conn, struct tcp_sock *tcp) {
    struct reading at;
    __u64 isn = 0, before;
    for (int i = 0; i < 4; i++) {
        before = isn;
        read_stream(tcp, &at);
        isn = isn_of(conn, &at);
        if (isn == before)
            break;
        barrier();
    }
    name_connection(conn, isn);
}

static __u32 listener_flags(struct sock *sk) {
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    struct port_listener *listener = bpf_map_lookup_elem(&listeners, &key);
    return listener ? listener->flags : 0;
}

static void register_end(struct sock *sk, struct conn *conn) {
    __u64 bits = conn->role == ROLE_CLIENT ? END_CLIENT : END_SERVER | listener_flags(sk);
    __u64 *known = bpf_map_lookup_elem(&ends, &conn->isn);
    if (bits & END_BLIND)
        conn->policy = POLICY_OPAQUE;
    if ((bits | (known ? *known : 0)) & END_OWN)
        conn->flags |= FLAG_IGNORED;
    if (known)
        __sync_fetch_and_or(known, bits);
    else if (bpf_map_update_elem(&ends, &conn->isn, &bits, BPF_NOEXIST)) {
        known = bpf_map_lookup_elem(&ends, &conn->isn);
        if (known)
            __sync_fetch_and_or(known, bits);
        else
            count(COUNTER_PEERS_FULL, 1);
    }
}

/* Whether a client on this host has connected to the agent's own listener. */
static bool connects_to_agent(struct sock *sk) {
    struct listen_key key = {.netns = netns_of(sk), .port = bpf_ntohs(sk->__sk_common.skc_dport)};
    struct port_listener *listener = bpf_map_lookup_elem(&listeners, &key);
    if (!listener || !(listener->flags & END_OWN))
        return false;
    if (sk->__sk_common.skc_family == AF_INET)
        return sk->__sk_common.skc_daddr == sk->__sk_common.skc_rcv_saddr;
    const __u64 *from = (const __u64 *)&sk->__sk_common.skc_v6_rcv_saddr,
                *to = (const __u64 *)&sk->__sk_common.skc_v6_daddr;
    return from[0] == to[0] && from[1] == to[1];
}

/* The agent's peer on this host is left out, too. */
static void mark_own(struct conn *conn) {
    __u64 *known = bpf_map_lookup_elem(&ends, &conn->isn);
    if (known)
        __sync_fetch_and_or(known, END_OWN);
}

static void guess_role(struct sock *sk, struct conn *conn) {
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    conn->role = bpf_map_lookup_elem(&listeners, &key) ? ROLE_SERVER : ROLE_CLIENT;
    conn->proof = PROOF_LISTEN;
}

/* A client's end copies nothing when the server's end is here and sees its own bytes. Decided once. */
static bool peer_shows_bytes(struct conn *conn) {
    if (!(conn->flags & FLAG_PEER_DECIDED)) {
        __u64 *known = conn->role == ROLE_CLIENT ? bpf_map_lookup_elem(&ends, &conn->isn) : NULL;
        if (known && (*known & END_SERVER) && !(*known & END_BLIND))
            conn->flags |= FLAG_PEER_LOCAL;
        conn->flags |= FLAG_PEER_DECIDED;
    }
    return conn->flags & FLAG_PEER_LOCAL;
}

/*
 * Called when a server answers and no hook has seen it receive. If bytes were taken out of its socket all the same
 * (splice; docker-proxy does it), the client's ends of its listener show theirs from the next connection on.
 */
static void note_blind(struct sock *sk, struct conn *conn, const struct reading *at) {
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    if (stream_received(at) == 0)
        return;
    struct port_listener *listener = bpf_map_lookup_elem(&listeners, &key);
    if (listener)
        listener->flags |= END_BLIND;
    conn->policy = POLICY_OPAQUE;
}

/* ---- durations of a client whose peer is here ---- */

static __noinline int send_turns(struct conn *conn, __u64 now) {
    void *ring = ring_at(conn->ring);
    struct record_turns *turns = ring ? bpf_ringbuf_reserve(ring, sizeof(*turns), 0) : NULL;
    if (!turns) {
        count(COUNTER_RING_FULL_OTHER, 1);
        conn->batch = 0;
        return 0;
    }
    turns->kind = RECORD_TURNS;
    turns->count = conn->batch;
    turns->time = now;
    turns->cookie = conn->cookie;
    __builtin_memcpy(turns->durations, conn->durations, sizeof(turns->durations));
    bpf_ringbuf_submit(turns, BPF_RB_NO_WAKEUP);
    wake_agent(conn->ring, ring);
    conn->batch = 0;
    return 0;
}

/* A client's turn ended when it writes again, or closes: keep its duration. */
static __always_inline void keep_duration(struct conn *conn, __u64 now) {
    if (!conn->turn_start || conn->turn_egress)
        return;
    conn->durations[conn->batch & (TURNS_PER_RECORD - 1)] = conn->last_time - conn->turn_start;
    conn->turn_start = 0;
    if (++conn->batch >= TURNS_PER_RECORD)
        send_turns(conn, now);
}

/* ---- its end ---- */

static void send_closed(struct sock *sk, struct conn *conn, __u64 now) {
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (!(conn->flags & FLAG_OPENED_SENT))
        send_opened(sk, conn, bpf_sk_storage_get(&owners, sk, 0, 0), now, 0);
    if (conn->flags & FLAG_PEER_LOCAL) {
        keep_duration(conn, now);
        if (conn->batch)
            send_turns(conn, now);
    }
    struct record_closed closed = {
        .kind = RECORD_CLOSED,
        .transport = TRANSPORT_TCP,
        .time = now,
        .cookie = conn->cookie,
        .last_time = conn->last_time,
        .turns = conn->turn,
        .lost = conn->lost,
        .error = sk->sk_err,
        .bytes_sent = conn->sent,
        .bytes_received = conn->received,
    };
    if (tcp) {
        closed.bytes_received = tcp->bytes_received - fin_received(sk);
        closed.retransmits = tcp->total_retrans;
    }
    if (send_close(&closed, conn->ring))
        count(COUNTER_LOST_TURNS_UNREPORTED, conn->lost - conn->lost_reported);
}

/* ---- MPTCP ---- */

/*
 * The user holds an MPTCP socket; its connection is made on a first subflow, a TCP socket of the kernel's own. State
 * sits on the MPTCP socket, on which operations happen; what is learnt on the subflow at ESTABLISHED waits here.
 */
struct subflow {
    __u64 isn, connect_time;
    __u64 cookie; /* stands for the MPTCP socket: an accepted one may carry a copy of its listener's */
    __u32 tgid;   /* of the owner that userspace was told; 0: not told yet */
    __u8 role, proof, pad[2];
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64); /* address of the subflow's struct sock; never dereferenced */
    __type(value, struct subflow);
} subflows SEC(".maps");

static bool is_subflow(struct tcp_sock *tcp) {
    return bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
}

/* A client is told at once, so that the server's bytes find both ends known. */
static void tell_multipath_client(struct sock *sk, struct conn *conn) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (owner && owner->tgid && owner->tgid != self_tgid && !(conn->flags & FLAG_IGNORED))
        send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0);
}

static bool subflow_established(struct sock *sk, struct conn *conn) {
    __u64 key = (__u64)sk;
    if (conn->role == ROLE_CLIENT)
        tell_multipath_client(sk, conn);
    struct subflow subflow = {
        .isn = conn->isn,
        .cookie = conn->cookie,
        .connect_time = conn->connect_time,
        .tgid = conn->tgid,
        .role = conn->role,
        .proof = conn->proof,
    };
    if (bpf_map_update_elem(&subflows, &key, &subflow, BPF_ANY)) {
        count(COUNTER_PEERS_FULL, 1);
        return false;
    }
    conn->role = ROLE_UNKNOWN; /* the MPTCP socket is the connection's end */
    conn->flags |= FLAG_IGNORED;
    return true;
}

/* Without an entry the connection is older than the agent: its numbers are read from the subflow. */
static void name_multipath(struct sock *sk, struct conn *conn) {
    struct mptcp_sock *multipath = (struct mptcp_sock *)sk;
    if (!bpf_core_type_exists(struct mptcp_sock))
        return;
    struct tcp_sock *first = (struct tcp_sock *)BPF_CORE_READ(multipath, first);
    __u64 key = (__u64)first;
    struct subflow *subflow = bpf_map_lookup_elem(&subflows, &key);
    if (subflow) {
        conn->cookie = subflow->cookie;
        conn->role = subflow->role;
        conn->proof = subflow->proof;
        conn->connect_time = subflow->connect_time;
        conn->tgid = subflow->tgid;
        conn->flags |= subflow->tgid ? FLAG_OPENED_SENT : 0;
        name_connection(conn, subflow->isn);
        return;
    }
    struct reading at = {
        .bytes_acked = BPF_CORE_READ(first, bytes_acked),
        .bytes_received = BPF_CORE_READ(first, bytes_received),
        .snd_una = BPF_CORE_READ(first, snd_una),
        .rcv_nxt = BPF_CORE_READ(first, rcv_nxt),
    };
    guess_role(sk, conn);
    name_connection(conn, isn_of(conn, &at));
    register_end(sk, conn);
}

/* ---- life ---- */

static void stream_established(struct sock *sk, struct conn *conn, int old) {
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (!tcp || (conn->flags & FLAG_IGNORED)) /* an end that is not watched is not here, as far as the other one goes */
        return;
    conn->role = old == BPF_TCP_SYN_SENT ? ROLE_CLIENT : ROLE_SERVER;
    conn->proof = old == BPF_TCP_SYN_SENT ? PROOF_CONNECT : PROOF_ACCEPT;
    conn->local_port = sk->__sk_common.skc_num; /* a connecting socket gets it after its conn was made */
    read_isn(conn, tcp);
    if (!(conn->flags & FLAG_IGNORED)) /* an end in a namespace that is left out shows nothing to its peer here */
        register_end(sk, conn);
    if (is_subflow(tcp) && subflow_established(sk, conn))
        return;
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    bool own = owner && owner->tgid == self_tgid;
    if (own)
        mark_own(conn);
    if (own || (conn->role == ROLE_CLIENT && connects_to_agent(sk)))
        conn->flags |= FLAG_IGNORED;
    else if (owner && owner->tgid && !(conn->flags & FLAG_IGNORED))
        send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0);
}

static void stream_connecting(struct sock *sk) {
    struct conn *conn = conn_of(sk);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (conn)
        conn->connect_time = bpf_ktime_get_ns();
    if (owner && !owner->tgid)
        stamp(owner);
}

static void stream_closed(struct sock *sk, int old) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    __u64 address = (__u64)sk;
    if (conn && (conn->flags & FLAG_IGNORED))
        bpf_map_delete_elem(&subflows, &address);
    if (!conn || (conn->flags & FLAG_IGNORED))
        return;
    __u64 now = bpf_ktime_get_ns();
    if (old == BPF_TCP_SYN_SENT) {
        conn->role = ROLE_CLIENT;
        conn->proof = PROOF_CONNECT;
        conn->local_port = sk->__sk_common.skc_num;
        send_opened(sk, conn, bpf_sk_storage_get(&owners, sk, 0, 0), now, sk->sk_err ? sk->sk_err : 125);
        return;
    }
    if (!conn->role || (conn->flags & FLAG_CLOSED))
        return;
    conn->flags |= FLAG_CLOSED;
    send_closed(sk, conn, now);
    bpf_map_delete_elem(&ends, &conn->isn);
}

static void listening(struct sock *sk) {
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    struct port_listener fresh = {}, *listener = bpf_map_lookup_elem(&listeners, &key);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (!conn_of(sk)) /* keeps the port: a socket that let the kernel choose it has none any more when it closes */
        return;
    if (!listener) {
        bpf_map_update_elem(&listeners, &key, &fresh, BPF_NOEXIST);
        listener = bpf_map_lookup_elem(&listeners, &key);
    }
    if (!listener) {
        count(COUNTER_LISTENERS_FULL, 1);
        return;
    }
    __sync_fetch_and_add(&listener->sockets, 1);
    if (owner && owner->tgid == self_tgid)
        listener->flags |= END_OWN;
}

static void not_listening(struct sock *sk) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    struct listen_key key = {.netns = netns_of(sk), .port = conn ? conn->local_port : 0};
    struct port_listener *listener = bpf_map_lookup_elem(&listeners, &key);
    if (listener && __sync_fetch_and_sub(&listener->sockets, 1) <= 1)
        bpf_map_delete_elem(&listeners, &key);
}

/* An accepted socket is a clone of its listener: it leaves LISTEN, too, for SYN_RECV. */
static void stream_state(struct sock *sk, int old, int new) {
    if (new == BPF_TCP_LISTEN)
        listening(sk);
    else if (old == BPF_TCP_LISTEN && new == BPF_TCP_CLOSE)
        not_listening(sk);
    else if (new == BPF_TCP_SYN_SENT)
        stream_connecting(sk);
    else if (new == BPF_TCP_ESTABLISHED && (old == BPF_TCP_SYN_SENT || old == BPF_TCP_SYN_RECV)) {
        struct conn *conn = conn_of(sk);
        if (conn)
            stream_established(sk, conn, old);
    } else if (new == BPF_TCP_CLOSE)
        stream_closed(sk, old);
}

/* ---- bytes ---- */

static bool starts_with(const char *b, char c0, char c1, char c2, char c3) {
    return b[0] == c0 && b[1] == c1 && b[2] == c2 && b[3] == c3;
}

/* Chooses how much is copied from now on; which protocol it is, userspace decides. */
static void choose_policy(struct conn *conn, const char *b, __u32 length) {
    if (length < 4)
        return;
    if (b[0] == 0x16 && b[1] == 3)
        conn->policy = POLICY_HANDSHAKE;
    else if (starts_with(b, 'G', 'E', 'T', ' ') || starts_with(b, 'P', 'O', 'S', 'T') ||
             starts_with(b, 'P', 'U', 'T', ' ') || starts_with(b, 'H', 'E', 'A', 'D') ||
             starts_with(b, 'D', 'E', 'L', 'E') || starts_with(b, 'P', 'A', 'T', 'C') ||
             starts_with(b, 'O', 'P', 'T', 'I') || starts_with(b, 'H', 'T', 'T', 'P'))
        conn->policy = POLICY_HEADS;
    else if (b[0] == '*' && b[1] >= '0' && b[1] <= '9')
        conn->policy = POLICY_STREAM;
    else if (b[0] == 0 && b[1] == 0 && (b[4] == 0 || b[4] == 4) && length >= 8)
        conn->policy = POLICY_STREAM; /* PostgreSQL's startup packet */
    else if (length > 2 + DNS_HEADER && looks_like_dns(b + 2, length - 2))
        conn->policy = POLICY_STREAM; /* behind the length of a message */
    else if (++conn->unknown_operations > UNKNOWN_OPERATIONS)
        conn->policy = POLICY_OPAQUE;
}

static __u32 copy_limit(const struct conn *conn, bool request, bool first) {
    const struct copy_limits *limit = &limits[conn->policy > POLICY_OPAQUE ? POLICY_OPAQUE : conn->policy];
    if (conn->operations > limit->operations * WHOLE_OPERATION)
        return 0;
    if (request)
        return first ? limit->request_first : limit->request_more;
    return first ? limit->response_first : limit->response_more;
}

static __noinline int lost_head(struct conn *conn, bool first) {
    count(COUNTER_RING_FULL_DATA, 1);
    if (first && !(conn->flags & FLAG_TURN_LOST)) {
        conn->flags |= FLAG_TURN_LOST;
        conn->lost++;
    }
    return 0;
}

/* One operation: what it moved, and how much of its head goes to userspace. */
struct move {
    __u64 offset, before, now;
    __u32 length, wanted, done, slot;
    bool egress, first;
};

static __always_inline void output_data(struct conn *conn, struct data_scratch *space) {
    void *ring = ring_at(conn->ring);
    __u64 size = sizeof(space->head) + (space->head.captured & PAYLOAD_MASK);
    if (!(conn->flags & FLAG_OPENED_SENT) || !ring || bpf_ringbuf_output(ring, space, size, BPF_RB_NO_WAKEUP)) {
        lost_head(conn, space->head.first);
        return;
    }
    conn->lost_reported = conn->lost;
    conn->told_time = space->head.time;
    conn->told_bytes = conn->sent + conn->received;
    wake_agent(conn->ring, ring);
}

/* Of the bytes from `move->done` on: `captured` follow, `length` are told of. */
static __always_inline void fill_head(struct record_data *head, const struct conn *conn, const struct move *move,
                                      __u32 captured, __u32 length) {
    bool first = move->first && !move->done;
    *head = (struct record_data){
        .kind = RECORD_DATA,
        .captured = captured,
        .time = move->now,
        .cookie = conn->cookie,
        .offset = move->offset + move->done,
        .other_offset = move->egress ? conn->received : conn->sent,
        .previous_turn_end = first ? move->before : 0,
        .length = length,
        .turn = conn->turn,
        .lost = conn->lost,
        .egress = move->egress,
        .first = first,
    };
}

/*
 * Sends the next record of an operation, of at most PAYLOAD_MASK bytes; gives how many of the wanted ones are left.
 * Not static: the verifier walks it once.
 */
__noinline int send_chunk(struct conn *conn, struct move *move) {
    if (!conn || !move)
        return 0;
    __u32 slot = move->slot, done = move->done, rest = move->wanted - done;
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    if (!space)
        return 0;
    __u32 copied = copy_runs(slot, done, rest < PAYLOAD_MASK ? rest : PAYLOAD_MASK);
    if (conn->policy == POLICY_UNKNOWN) {
        choose_policy(conn, space->payload, copied);
        if (conn->policy == POLICY_STREAM) { /* so the rest of this operation is wanted, too */
            move->wanted = move->length < CHUNKS * PAYLOAD_MASK ? move->length : CHUNKS * PAYLOAD_MASK;
            rest = move->wanted - done;
        }
    }
    bool first = move->first && !done, last = !copied || copied >= rest;
    if (!copied && !first)
        return 0;
    fill_head(&space->head, conn, move, copied, last ? move->length - done : copied);
    output_data(conn, space);
    move->done = done + copied;
    return last ? 0 : rest - copied;
}

static __noinline int send_progress(struct conn *conn, __u64 now) {
    void *ring = ring_at(conn->ring);
    struct record_progress progress = {
        .kind = RECORD_PROGRESS,
        .lost = conn->lost,
        .time = now,
        .cookie = conn->cookie,
        .bytes_sent = conn->sent,
        .bytes_received = conn->received,
    };
    if (!ring || bpf_ringbuf_output(ring, &progress, sizeof(progress), BPF_RB_NO_WAKEUP))
        return 0; /* the next one, or the close, tells the same and more */
    conn->told_time = now;
    conn->told_bytes = conn->sent + conn->received;
    wake_agent(conn->ring, ring);
    return 0;
}

/*
 * Many servers send an answer's head in one run and its body in the next, and each read of user memory is dear. The
 * body need not be read when the head says how long it is: that is so if the field stands where it stood in an earlier
 * head of this connection.
 */
#define LENGTH_SEARCHES 4 /* on one connection */
#define LENGTH_FIELD 16   /* bytes */
#define LONGEST_HEAD 1024 /* that is searched */

static __always_inline bool is_length_field(const char *at) {
    return *(const __u64 *)at == 0x2d746e65746e6f43ULL &&     /* "Content-", little endian */
           *(const __u64 *)(at + 8) == 0x203a6874676e654cULL; /* "Length: " */
}

/* Where the field stands in the first `length` bytes shown in `slot`; 0: nowhere. Not static: walked once. */
__noinline int find_length_field(__u32 slot, __u32 length) {
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    for (__u32 i = 1; space && i < LONGEST_HEAD; i++) {
        if (i + LENGTH_FIELD > length)
            break;
        if (space->payload[i - 1] == '\n' && is_length_field(space->payload + i))
            return i;
    }
    return 0;
}

/* The number that stands at `digits`; 0: none, or one of more than eight. */
static __always_inline __u32 small_number(const char *digits) {
    __u32 number = 0;
    for (int i = 0; i <= 8; i++) {
        __u32 digit = (__u8)digits[i] - '0';
        if (digit > 9)
            return digits[i] == '\r' ? number : 0;
        number = number * 10 + digit;
    }
    return 0;
}

/* Whether the first `length` bytes are a head that says that the `rest` is its body. */
static __always_inline bool tells_length(const struct conn *conn, const char *payload, __u64 length, __u32 rest) {
    __u64 at = conn->answers.length_at & (LONGEST_HEAD - 1), end = bounded(length - 4);
    return at && at + LENGTH_FIELD < length && is_length_field(payload + at) &&
           *(const __u32 *)(payload + end) == 0x0a0d0a0d && /* an empty line */
           small_number(payload + at + LENGTH_FIELD) >= rest;
}

/* Whether the first `length` bytes of this operation are enough of it. */
static __always_inline bool head_is_enough(struct conn *conn, const struct move *move, const char *payload,
                                           __u64 length) {
    if (conn->policy != POLICY_HEADS || conn->role != ROLE_SERVER || !move->egress)
        return false;
    if (tells_length(conn, payload, length, move->length - length))
        return true;
    if (conn->answers.searches < LENGTH_SEARCHES) {
        conn->answers.searches++;
        conn->answers.length_at = find_length_field(move->slot, length);
    }
    return false;
}

/*
 * Copies `size` bytes of a vector whose first two runs hold them, or the first run alone where that is enough. Gives
 * how many; 0: it could not.
 */
static __always_inline __u32 copy_two_runs(struct conn *conn, const struct move *move, struct data_scratch *space,
                                           const struct pt_regs *regs, __u32 size) {
    struct iovec *vector = space->runs.vector;
    if (SYSCALL_ARGUMENT_3(regs) < 2 || bpf_probe_read_user(vector, 2 * sizeof(*vector), SYSCALL_ARGUMENT_2(regs)))
        return 0;
    __u64 first = vector[0].iov_len;
    if (first >= size)
        return bpf_probe_read_user(space->payload, bounded(size), vector[0].iov_base) ? 0 : size;
    if (!first || vector[1].iov_len < size - first)
        return 0;
    if (bpf_probe_read_user(space->payload, bounded(first), vector[0].iov_base))
        return 0;
    if (head_is_enough(conn, move, space->payload, first))
        return first;
    return bpf_probe_read_user(space->payload + bounded(first), bounded(size - first), vector[1].iov_base) ? 0 : size;
}

/*
 * The common case: one run of bytes or two that fit one record, on a descriptor that is known. No function of ours is
 * called on this way, since calls are dear where returns are mitigated. False: show_runs must do it.
 */
static __always_inline bool show_few_runs(struct conn *conn, struct move *move, struct task_struct *task,
                                          const bool cast) {
    __u32 slot = move->slot, size = move->wanted & PAYLOAD_MASK, copied = 0;
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    struct pt_regs *regs = known_registers(task, cast);
    if (!space || !regs || conn->policy == POLICY_UNKNOWN || move->wanted != size)
        return false;
    __u64 number = SYSCALL_NUMBER(regs);
    if (!is_user_call(number))
        return !move->first; /* nothing is shown of it */
    if (conn->descriptor != (__u32)SYSCALL_ARGUMENT_1(regs) + 1)
        return false;
    if (is_plain_call(number))
        copied = bpf_probe_read_user(space->payload, bounded(size), SYSCALL_ARGUMENT_2(regs)) ? 0 : size;
    else if (is_runs_call(number))
        copied = copy_two_runs(conn, move, space, regs, size);
    if (!copied)
        return false;
    fill_head(&space->head, conn, move, copied, move->length);
    output_data(conn, space);
    return true;
}

static __noinline int show_runs(struct sock *sk, struct conn *conn, struct move *move) {
    __u32 slot = move->slot;
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    if (!space)
        return 0;
    user_runs(sk, conn, &space->runs);
    for (int i = 0; i < CHUNKS; i++)
        if (!send_chunk(conn, move))
            return 0;
    return 0;
}

static __always_inline void send_data(struct sock *sk, struct tcp_sock *tcp, struct conn *conn, struct move *move,
                                      struct task_struct *task, __u32 slot) {
    if (conn->policy == POLICY_HANDSHAKE && conn->turn > HANDSHAKE_TURNS)
        conn->policy = POLICY_OPAQUE;
    move->wanted = copy_limit(conn, (conn->role == ROLE_CLIENT) == move->egress, move->first);
    if (move->wanted > move->length)
        move->wanted = move->length;
    if (move->wanted) {
        if (!tcp || !show_few_runs(conn, move, task, slot == SLOT_TRACEPOINT))
            show_runs(sk, conn, move);
    } else if ((__s64)(move->now - conn->told_time) > PROGRESS_NS)
        send_progress(conn, move->now);
}

/*
 * The stream offset after this operation, from the socket's own counters; a torn reading falls back to the sum. Over
 * several subflows there is only the sum.
 */
static __u64 stream_end(const struct conn *conn, const struct reading *at, bool egress, __u32 length) {
    __u64 expected = (egress ? conn->sent : conn->received) + length;
    __u64 end = !at ? expected : egress ? stream_sent(conn, at) : stream_received(at);
    return end < expected || end - expected > (1ULL << 32) ? expected : end;
}

/* Starts a new turn when the direction changed. */
static bool take_turn(struct conn *conn, bool egress, bool local, __u64 now) {
    if (conn->turn && conn->turn_egress == egress)
        return false;
    if (local && egress)
        keep_duration(conn, now);
    conn->turn++;
    conn->operations = 0;
    if ((conn->role == ROLE_CLIENT) == egress)
        conn->flags &= ~FLAG_TURN_LOST;
    if (egress || !local)
        conn->turn_start = now;
    conn->turn_egress = egress;
    return true;
}

/* The same for a client's end whose peer is here and tells everything but this end's times. */
static __always_inline void time_turn(struct conn *conn, __u32 length, bool egress, __u64 now) {
    if (conn->turn_egress != egress) {
        if (egress) {
            keep_duration(conn, now);
            conn->turn_start = now;
        }
        conn->turn++;
        conn->turn_egress = egress;
    }
    conn->last_time = now;
    if (egress)
        conn->sent += length;
    else
        conn->received += length;
}

/* Of a connection that no hook saw open. */
static __noinline void name_older(struct sock *sk, struct conn *conn, struct tcp_sock *tcp) {
    if (!tcp) {
        name_multipath(sk, conn);
        return;
    }
    guess_role(sk, conn);
    read_isn(conn, tcp);
    register_end(sk, conn);
}

/*
 * Of this operation. TCP has read the clock itself when it sent the last of its bytes, and reading it again is dear:
 * the socket's copy is from between that moment and now. Bytes that are still queued were sent by nobody yet.
 */
static __always_inline __u64 time_of(const struct tcp_sock *tcp, bool egress) {
    __u64 sent = tcp && egress && tcp->snd_nxt == tcp->write_seq ? tcp->tcp_clock_cache : 0;
    return sent ? sent : bpf_ktime_get_ns();
}

/* `tcp` is NULL for an MPTCP socket. Gives 0 and is not inlined for the reasons told at datagram_operation. */
static __always_inline int stream_operation(struct sock *sk, struct tcp_sock *tcp, __u32 length, bool egress,
                                            bool shown, __u32 slot) {
    struct conn *conn = conn_of(sk);
    if (!conn || (conn->flags & FLAG_IGNORED))
        return 0;
    __u64 now = time_of(tcp, egress);
    struct task_struct *task = bpf_get_current_task_btf();
    if (!conn->role)
        name_older(sk, conn, tcp);
    refresh_owner(sk, conn, task, now);
    if (conn->flags & FLAG_IGNORED)
        return 0;
    if (conn->flags & FLAG_PEER_LOCAL) {
        time_turn(conn, length, egress, now);
        return 0; /* the other end tells the rest */
    }
    struct reading at = {};
    if (tcp)
        read_stream(tcp, &at);
    __u64 end = stream_end(conn, tcp ? &at : NULL, egress, length);
    bool local = peer_shows_bytes(conn);
    struct move move = {.before = conn->last_time, .now = now, .length = length, .egress = egress, .slot = slot};
    move.first = take_turn(conn, egress, local, now);
    move.offset = end - length;
    conn->operations += length < SMALL_OPERATION ? 1 : WHOLE_OPERATION;
    conn->last_time = now;
    if (tcp && move.first && egress && conn->role == ROLE_SERVER && !conn->received)
        note_blind(sk, conn, &at);
    if (egress)
        conn->sent = end;
    else
        conn->received = end;
    if (local || !shown)
        return 0; /* the other end tells; or the next operation's offset does */
    send_data(sk, tcp, conn, &move, task, slot);
    return 0;
}

static __noinline int multipath_operation(struct sock *sk, __u32 length, bool egress, __u32 slot) {
    return stream_operation(sk, NULL, length, egress, true, slot);
}

#endif
