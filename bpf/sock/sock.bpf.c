/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The socket layer: who owns a TCP socket, when it lives, and the heads of what it sends and receives.
 *
 * All state sits on the socket in two sk_storage maps and is freed with it. A *turn* is a run of operations in one
 * direction; the first bytes of a turn are what names a call, so only heads are copied, by a policy that the first
 * bytes of the connection choose. A client end whose peer is on this host copies nothing: it only keeps the duration
 * of each turn, eight to a record.
 *
 * Per-CPU scratch space is safe because the socket tracepoints run with preemption off and the state tracepoint, which
 * may interrupt them in softirq, has scratch of its own.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "../record.h"
#include "registers.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define PAYLOAD_MASK 0x1fff /* the most that one operation shows */
#define IOVECS 4

const volatile __u32 self_tgid;             /* sockets of this process are left out */
const volatile __u32 only_netns;            /* 0: every network namespace */
const volatile __s32 cgroup_subsystem = -1; /* v1 controller that names containers; -1: the v2 hierarchy */

enum copy_policy { POLICY_UNKNOWN, POLICY_HEADS, POLICY_STREAM, POLICY_HANDSHAKE, POLICY_OPAQUE };

/* How much of an operation is copied. `first` for the one that starts a turn, `more` for those that continue it. */
struct copy_limits {
    __u32 request_first, request_more, response_first, response_more;
    __u32 operations; /* of one turn; later ones are only counted */
};
static const struct copy_limits limits[] = {
    [POLICY_UNKNOWN] = {PAYLOAD_MASK, 2048, 2048, 2048, 16},
    [POLICY_HEADS] = {2048, 1024, 256, 128, 64},
    [POLICY_STREAM] = {PAYLOAD_MASK, PAYLOAD_MASK, PAYLOAD_MASK, PAYLOAD_MASK, 64},
    [POLICY_HANDSHAKE] = {2048, 2048, 64, 64, 2},
    [POLICY_OPAQUE] = {0, 0, 0, 0, 0},
};

enum { FLAG_OPENED_SENT = 1, FLAG_PEER_LOCAL = 2, FLAG_PEER_DECIDED = 4, FLAG_TURN_LOST = 8, FLAG_IGNORED = 16 };

struct conn {
    __u64 cookie, isn;
    __u64 sent, received; /* stream offsets after the last operation */
    __u64 turn_start, last_time, connect_time;
    __u32 turn, operations, lost, lost_reported, unknown_operations;
    __u8 role, proof, policy, flags;
    __u8 turn_egress, batch;
    __u16 local_port; /* the kernel has cleared its own when it reports the close */
    __u32 durations[TURNS_PER_RECORD];
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct record_owner);
} owners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct conn);
} conns SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 << 20);
} ring SEC(".maps");

struct data_scratch {
    struct record_data head;
    char payload[2 * (PAYLOAD_MASK + 1)]; /* twice, so that the verifier sees every offset plus size inside */
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct data_scratch);
} scratch SEC(".maps");

/* Connections by their pair of initial sequence numbers: bit 1 the client's end is here, bit 2 the server's. */
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
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct listen_key);
    __type(value, __u32);
} listeners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, COUNTER_KINDS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static void count(__u32 which, __u64 by) {
    __u64 *counter = bpf_map_lookup_elem(&counters, &which);
    if (counter)
        *counter += by;
}

static __u64 task_cgroup(struct task_struct *task) {
    if (cgroup_subsystem < 0)
        return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    struct css_set *set = BPF_CORE_READ(task, cgroups);
    struct cgroup_subsys_state *state = NULL;
    bpf_core_read(&state, sizeof(state), &set->subsys[cgroup_subsystem & 15]);
    return BPF_CORE_READ(state, cgroup, kn, id);
}

static void stamp(struct record_owner *owner) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    __u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (owner->tgid == tgid || (BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_IO_WORKER)))
        return;
    owner->tgid = tgid;
    owner->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    owner->cgroup_id = task_cgroup(task);
}

SEC("cgroup/sock_create")
int stamp_socket(struct bpf_sock *sk) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (owner)
        stamp(owner);
    return 1;
}

static __u32 netns_of(struct sock *sk) {
    return sk->__sk_common.skc_net.net->ns.inum;
}

static struct conn *conn_of(struct sock *sk) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    if (conn)
        return conn;
    conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!conn) {
        count(COUNTER_STORAGE_REFUSED, 1);
        return NULL;
    }
    conn->cookie = bpf_get_socket_cookie(sk);
    conn->local_port = sk->__sk_common.skc_num;
    if (only_netns && netns_of(sk) != only_netns)
        conn->flags |= FLAG_IGNORED;
    return conn;
}

/* Both initial sequence numbers, from a socket at rest: see the formulas' derivation in docs/architecture.md. */
static void read_isn(struct conn *conn, struct tcp_sock *tcp) {
    __u32 own = tcp->snd_una - (__u32)tcp->bytes_acked;
    __u32 peer = tcp->rcv_nxt - (__u32)tcp->bytes_received - 1;
    if (conn->role == ROLE_CLIENT)
        conn->isn = (__u64)own << 32 | peer;
    else
        conn->isn = (__u64)peer << 32 | (__u32)(own - 1);
}

static void register_end(struct conn *conn) {
    __u64 bit = conn->role == ROLE_CLIENT ? 1 : 2;
    __u64 *known = bpf_map_lookup_elem(&ends, &conn->isn);
    if (known)
        __sync_fetch_and_or(known, bit);
    else if (bpf_map_update_elem(&ends, &conn->isn, &bit, BPF_NOEXIST)) {
        known = bpf_map_lookup_elem(&ends, &conn->isn);
        if (known)
            __sync_fetch_and_or(known, bit);
        else
            count(COUNTER_PEERS_FULL, 1);
    }
}

static void guess_role(struct sock *sk, struct conn *conn) {
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    conn->role = bpf_map_lookup_elem(&listeners, &key) ? ROLE_SERVER : ROLE_CLIENT;
    conn->proof = PROOF_LISTEN;
}

static void fill_addresses(struct sock *sk, struct record_opened *opened) {
    const __u8 *local6 = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8;
    const __u32 *remote6 = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;
    bool mapped =
        sk->__sk_common.skc_family == AF_INET6 && !remote6[0] && !remote6[1] && remote6[2] == bpf_htonl(0xffff);
    if (sk->__sk_common.skc_family == AF_INET || mapped) {
        opened->family = AF_INET;
        *(__u32 *)opened->local_address = sk->__sk_common.skc_rcv_saddr;
        *(__u32 *)opened->remote_address = sk->__sk_common.skc_daddr;
    } else {
        opened->family = AF_INET6;
        bpf_probe_read_kernel(opened->local_address, 16, local6);
        bpf_probe_read_kernel(opened->remote_address, 16, remote6);
    }
    opened->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
}

static int send_opened(struct sock *sk, struct conn *conn, struct record_owner *owner, __u64 now, __u32 error) {
    struct record_opened *opened = bpf_ringbuf_reserve(&ring, sizeof(*opened), 0);
    if (!opened) {
        count(COUNTER_RING_FULL_OPENED, 1);
        return -1;
    }
    __builtin_memset(opened, 0, sizeof(*opened));
    opened->kind = error ? RECORD_FAILED : RECORD_OPENED;
    opened->role = conn->role;
    opened->proof = conn->proof;
    opened->time = now;
    opened->cookie = conn->cookie;
    opened->isn = conn->isn;
    opened->error = error;
    if (owner) {
        opened->owner = *owner;
        if (owner->tgid == bpf_get_current_pid_tgid() >> 32) /* elsewhere `current` is whoever was interrupted */
            bpf_get_current_comm(opened->command, sizeof(opened->command));
    }
    opened->owner.netns = netns_of(sk);
    if (conn->connect_time)
        opened->latency = now - conn->connect_time;
    fill_addresses(sk, opened);
    opened->local_port = conn->local_port;
    bpf_ringbuf_submit(opened, BPF_RB_NO_WAKEUP);
    if (!error)
        conn->flags |= FLAG_OPENED_SENT;
    return 0;
}

static void send_turns(struct conn *conn, __u64 now) {
    struct record_turns *turns = bpf_ringbuf_reserve(&ring, sizeof(*turns), 0);
    if (!turns) {
        count(COUNTER_RING_FULL_OTHER, 1);
        conn->batch = 0;
        return;
    }
    turns->kind = RECORD_TURNS;
    turns->count = conn->batch;
    turns->time = now;
    turns->cookie = conn->cookie;
    __builtin_memcpy(turns->durations, conn->durations, sizeof(turns->durations));
    bpf_ringbuf_submit(turns, BPF_RB_NO_WAKEUP);
    conn->batch = 0;
}

/* A client's turn ended when it writes again, or closes: keep its duration. */
static void keep_duration(struct conn *conn, __u64 now) {
    if (!conn->turn_start || conn->turn_egress)
        return;
    conn->durations[conn->batch & (TURNS_PER_RECORD - 1)] = (conn->last_time - conn->turn_start) >> 6;
    conn->turn_start = 0;
    if (++conn->batch >= TURNS_PER_RECORD)
        send_turns(conn, now);
}

/* bytes_received counts a FIN, too; tcp_fin() marks the socket SOCK_DONE (include/net/sock.h: bit 1). */
static __u64 fin_received(struct sock *sk) {
    return sk->__sk_common.skc_flags >> 1 & 1;
}

static void send_closed(struct sock *sk, struct conn *conn, __u64 now) {
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (!(conn->flags & FLAG_OPENED_SENT))
        send_opened(sk, conn, bpf_sk_storage_get(&owners, sk, 0, 0), now, 0);
    if (conn->flags & FLAG_PEER_LOCAL) {
        keep_duration(conn, now);
        if (conn->batch)
            send_turns(conn, now);
    }
    struct record_closed *closed = bpf_ringbuf_reserve(&ring, sizeof(*closed), 0);
    if (!closed) {
        count(COUNTER_RING_FULL_CLOSED, 1);
        count(COUNTER_LOST_TURNS_UNREPORTED, conn->lost - conn->lost_reported);
        return;
    }
    __builtin_memset(closed, 0, sizeof(*closed));
    closed->kind = RECORD_CLOSED;
    closed->time = now;
    closed->cookie = conn->cookie;
    closed->last_time = conn->last_time;
    closed->turns = conn->turn;
    closed->lost = conn->lost;
    closed->error = sk->sk_err;
    if (tcp) {
        closed->bytes_sent = conn->sent;
        closed->bytes_received = tcp->bytes_received - fin_received(sk);
        closed->retransmits = tcp->total_retrans;
    }
    bpf_ringbuf_submit(closed, BPF_RB_NO_WAKEUP);
}

static void established(struct sock *sk, struct conn *conn, int old) {
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (!tcp)
        return;
    conn->role = old == BPF_TCP_SYN_SENT ? ROLE_CLIENT : ROLE_SERVER;
    conn->proof = old == BPF_TCP_SYN_SENT ? PROOF_CONNECT : PROOF_ACCEPT;
    conn->local_port = sk->__sk_common.skc_num; /* a connecting socket gets it after its conn was made */
    read_isn(conn, tcp);
    register_end(conn);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (owner && owner->tgid && owner->tgid == self_tgid)
        conn->flags |= FLAG_IGNORED;
    else if (owner && owner->tgid && !(conn->flags & FLAG_IGNORED))
        send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0);
}

static void connecting(struct sock *sk) {
    struct conn *conn = conn_of(sk);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (conn)
        conn->connect_time = bpf_ktime_get_ns();
    if (owner && !owner->tgid)
        stamp(owner);
}

static void closed(struct sock *sk, int old) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    if (!conn || (conn->flags & FLAG_IGNORED))
        return;
    __u64 now = bpf_ktime_get_ns();
    if (old == BPF_TCP_SYN_SENT) {
        conn->role = ROLE_CLIENT;
        conn->proof = PROOF_CONNECT;
        send_opened(sk, conn, bpf_sk_storage_get(&owners, sk, 0, 0), now, sk->sk_err ? sk->sk_err : 125);
        return;
    }
    if (!conn->role)
        return;
    send_closed(sk, conn, now);
    bpf_map_delete_elem(&ends, &conn->isn);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, struct sock *sk, int old, int new) {
    if (sk->sk_protocol != IPPROTO_TCP)
        return 0;
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    __u32 one = 1;
    if (new == BPF_TCP_LISTEN)
        bpf_map_update_elem(&listeners, &key, &one, BPF_ANY);
    else if (old == BPF_TCP_LISTEN)
        bpf_map_delete_elem(&listeners, &key);
    else if (new == BPF_TCP_SYN_SENT)
        connecting(sk);
    else if (new == BPF_TCP_ESTABLISHED && (old == BPF_TCP_SYN_SENT || old == BPF_TCP_SYN_RECV)) {
        struct conn *conn = conn_of(sk);
        if (conn)
            established(sk, conn, old);
    } else if (new == BPF_TCP_CLOSE)
        closed(sk, old);
    return 0;
}

/* Where the user's bytes are: up to IOVECS runs. 0 when this way of sending shows none. */
static int user_vector(struct iovec *vector) {
    struct task_struct *task = bpf_get_current_task_btf();
    if ((task->flags & (PF_KTHREAD | PF_IO_WORKER)) || TASK_IS_32BIT(task))
        return 0;
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    void *argument = SYSCALL_ARGUMENT_2(regs);
    struct user_msghdr message;
    switch (SYSCALL_NUMBER(regs)) {
    case CALL_READ:
    case CALL_WRITE:
    case CALL_SENDTO:
    case CALL_RECVFROM:
        vector[0].iov_base = argument;
        vector[0].iov_len = PAYLOAD_MASK;
        return 1;
    case CALL_READV:
    case CALL_WRITEV:
        return bpf_probe_read_user(vector, sizeof(*vector) * IOVECS, argument) ? 0 : IOVECS;
    case CALL_SENDMSG:
    case CALL_RECVMSG:
        if (bpf_probe_read_user(&message, sizeof(message), argument))
            return 0;
        if (message.msg_iovlen >= IOVECS)
            return bpf_probe_read_user(vector, sizeof(*vector) * IOVECS, message.msg_iov) ? 0 : IOVECS;
        return bpf_probe_read_user(vector, sizeof(*vector), message.msg_iov) ? 0 : 1;
    }
    return 0;
}

static __u32 copy_payload(struct data_scratch *space, __u32 wanted) {
    struct iovec vector[IOVECS] = {};
    int runs = user_vector(vector);
    __u32 copied = 0;
    for (int i = 0; i < IOVECS; i++) {
        if (i >= runs || copied >= wanted)
            break;
        __u64 run = vector[i].iov_len;
        if (run > wanted - copied)
            run = wanted - copied;
        __u32 size = run & PAYLOAD_MASK, at = copied & PAYLOAD_MASK;
        if (!size)
            continue;
        if (bpf_probe_read_user(space->payload + at, size, vector[i].iov_base)) {
            count(COUNTER_PAYLOAD_UNREADABLE, 1);
            break;
        }
        copied = at + size;
    }
    return copied;
}

/* Chooses how much is copied from now on; which protocol it is, userspace decides. */
static void choose_policy(struct conn *conn, const char *b, __u32 length) {
    if (length < 4)
        return;
    if (b[0] == 0x16 && b[1] == 3)
        conn->policy = POLICY_HANDSHAKE;
    else if ((b[0] == 'G' && b[1] == 'E' && b[2] == 'T' && b[3] == ' ') ||
             (b[0] == 'P' && b[1] == 'O' && b[2] == 'S' && b[3] == 'T') ||
             (b[0] == 'P' && b[1] == 'U' && b[2] == 'T' && b[3] == ' ') ||
             (b[0] == 'H' && b[1] == 'E' && b[2] == 'A' && b[3] == 'D') ||
             (b[0] == 'D' && b[1] == 'E' && b[2] == 'L' && b[3] == 'E') ||
             (b[0] == 'P' && b[1] == 'A' && b[2] == 'T' && b[3] == 'C') ||
             (b[0] == 'O' && b[1] == 'P' && b[2] == 'T' && b[3] == 'I') ||
             (b[0] == 'H' && b[1] == 'T' && b[2] == 'T' && b[3] == 'P'))
        conn->policy = POLICY_HEADS;
    else if (b[0] == '*' && b[1] >= '0' && b[1] <= '9')
        conn->policy = POLICY_STREAM;
    else if (b[0] == 0 && b[1] == 0 && (b[4] == 0 || b[4] == 4) && length >= 8)
        conn->policy = POLICY_STREAM; /* PostgreSQL's startup packet */
    else if (++conn->unknown_operations > 64)
        conn->policy = POLICY_OPAQUE;
}

static __u32 copy_limit(const struct conn *conn, bool request, bool first) {
    const struct copy_limits *limit = &limits[conn->policy > POLICY_OPAQUE ? POLICY_OPAQUE : conn->policy];
    if (conn->operations > limit->operations)
        return 0;
    if (request)
        return first ? limit->request_first : limit->request_more;
    return first ? limit->response_first : limit->response_more;
}

static void lost_head(struct conn *conn, bool first) {
    count(COUNTER_RING_FULL_DATA, 1);
    if (first && !(conn->flags & FLAG_TURN_LOST)) {
        conn->flags |= FLAG_TURN_LOST;
        conn->lost++;
    }
}

static void send_data(struct conn *conn, __u64 offset, __u32 length, bool egress, bool first, __u64 now, __u64 before) {
    bool request = (conn->role == ROLE_CLIENT) == egress;
    __u32 zero = 0, wanted = copy_limit(conn, request, first);
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &zero);
    if (!space || !wanted)
        return;
    if (wanted > length)
        wanted = length;
    __u32 copied = copy_payload(space, wanted);
    if (conn->policy == POLICY_UNKNOWN)
        choose_policy(conn, space->payload, copied);
    if (!copied && !first)
        return;
    space->head = (struct record_data){
        .kind = RECORD_DATA,
        .captured = copied,
        .time = now,
        .cookie = conn->cookie,
        .offset = offset,
        .other_offset = egress ? conn->received : conn->sent,
        .previous_turn_end = first ? before : 0,
        .length = length,
        .turn = conn->turn,
        .lost = conn->lost,
        .egress = egress,
        .first = first,
    };
    __u64 size = sizeof(space->head) + (copied & PAYLOAD_MASK);
    if (!(conn->flags & FLAG_OPENED_SENT) || bpf_ringbuf_output(&ring, space, size, BPF_RB_NO_WAKEUP))
        lost_head(conn, first);
    else
        conn->lost_reported = conn->lost;
}

/* The stream offset after this operation, from the socket's own counters; a torn reading falls back to the sum. */
static __u64 stream_end(struct conn *conn, struct tcp_sock *tcp, bool egress, __u32 length) {
    __u64 expected = (egress ? conn->sent : conn->received) + length, end;
    if (egress)
        end = tcp->bytes_acked - (conn->role == ROLE_CLIENT) + (__u32)(tcp->write_seq - tcp->snd_una);
    else
        end = tcp->bytes_received - (__u32)(tcp->rcv_nxt - tcp->copied_seq);
    return end < expected || end - expected > (1ULL << 32) ? expected : end;
}

static bool decide_peer(struct conn *conn) {
    if (!(conn->flags & FLAG_PEER_DECIDED)) {
        __u64 *known = conn->role == ROLE_CLIENT ? bpf_map_lookup_elem(&ends, &conn->isn) : NULL;
        if (known && (*known & 2))
            conn->flags |= FLAG_PEER_LOCAL;
        conn->flags |= FLAG_PEER_DECIDED;
    }
    return conn->flags & FLAG_PEER_LOCAL;
}

static void refresh_owner(struct sock *sk, struct conn *conn, __u64 now) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!owner) {
        count(COUNTER_STORAGE_REFUSED, 1);
        return;
    }
    __u32 before = owner->tgid;
    stamp(owner);
    if (owner->tgid == self_tgid)
        conn->flags |= FLAG_IGNORED;
    else if (!(conn->flags & FLAG_OPENED_SENT) || before != owner->tgid)
        send_opened(sk, conn, owner, now, 0);
}

static void operation(struct sock *sk, struct tcp_sock *tcp, __u32 length, bool egress) {
    struct conn *conn = conn_of(sk);
    if (!conn || (conn->flags & FLAG_IGNORED))
        return;
    __u64 now = bpf_ktime_get_ns();
    if (!conn->role) {
        guess_role(sk, conn);
        read_isn(conn, tcp);
        register_end(conn);
    }
    refresh_owner(sk, conn, now);
    if (conn->flags & FLAG_IGNORED)
        return;
    __u64 end = stream_end(conn, tcp, egress, length), before = conn->last_time;
    bool first = !conn->turn || conn->turn_egress != egress, local = decide_peer(conn);
    if (first && local && egress)
        keep_duration(conn, now);
    if (first) {
        conn->turn++;
        conn->operations = 0;
        conn->flags &= (conn->role == ROLE_CLIENT) == egress ? ~FLAG_TURN_LOST : ~0;
        if (egress || !local)
            conn->turn_start = now;
        conn->turn_egress = egress;
    }
    conn->operations++;
    conn->last_time = now;
    if (egress)
        conn->sent = end;
    else
        conn->received = end;
    if (!local && sk->sk_socket && sk->sk_socket->file)
        send_data(conn, end - length, length, egress, first, now, before);
}

static int handle(struct sock *sk, int result, int flags, bool egress) {
    __u16 family = sk->__sk_common.skc_family;
    if (result <= 0 || (flags & (MSG_PEEK | MSG_ERRQUEUE)) || (family != AF_INET && family != AF_INET6))
        return 0;
    if (sk->sk_protocol != IPPROTO_TCP)
        return 0;
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (tcp)
        operation(sk, tcp, result, egress);
    return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_send, struct sock *sk, int result, int flags) {
    return handle(sk, result, flags, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_receive, struct sock *sk, int result, int flags) {
    return handle(sk, result, flags, false);
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return socket->sk ? handle(socket->sk, result, 0, true) : 0;
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return socket->sk ? handle(socket->sk, result, 0, true) : 0;
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_receive, struct socket *socket, struct msghdr *message, size_t size, int flags, int result) {
    return socket->sk ? handle(socket->sk, result, flags, false) : 0;
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_receive, struct socket *socket, struct msghdr *message, size_t size, int flags, int result) {
    return socket->sk ? handle(socket->sk, result, flags, false) : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *program) {
    struct record_exec *exec = bpf_ringbuf_reserve(&ring, sizeof(*exec), 0);
    if (!exec) {
        count(COUNTER_RING_FULL_OTHER, 1);
        return 0;
    }
    __builtin_memset(exec, 0, sizeof(*exec));
    exec->kind = RECORD_EXEC;
    exec->tgid = task->tgid;
    exec->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    bpf_probe_read_kernel_str(exec->executable, sizeof(exec->executable), program->filename);
    unsigned long start = task->mm->arg_start, end = task->mm->arg_end;
    __u64 length = end - start;
    if (length > EXEC_ARGUMENTS)
        length = EXEC_ARGUMENTS;
    if (!bpf_probe_read_user(exec->arguments, length, (void *)start))
        exec->arguments_length = length;
    bpf_ringbuf_submit(exec, BPF_RB_NO_WAKEUP);
    return 0;
}

/* Ids are unique within one hierarchy only. */
static bool in_naming_hierarchy(struct cgroup *group) {
    struct cgroup_subsys_state *state = NULL;
    if (cgroup_subsystem < 0)
        return BPF_CORE_READ(group, root, hierarchy_id) == 0;
    bpf_core_read(&state, sizeof(state), &group->subsys[cgroup_subsystem & 15]);
    return state && BPF_CORE_READ(state, cgroup) == group;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *group, const char *path) {
    if (!in_naming_hierarchy(group))
        return 0;
    struct record_cgroup *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
    if (!record) {
        count(COUNTER_RING_FULL_OTHER, 1);
        return 0;
    }
    __builtin_memset(record, 0, sizeof(*record));
    record->kind = RECORD_CGROUP;
    record->id = group->kn->id;
    bpf_probe_read_kernel_str(record->path, sizeof(record->path), path);
    bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return 0;
}

/* Sockets that were open before: first every file of every task gives its owner, then every TCP socket its state. */
SEC("iter/task_file")
int seed_owners(struct bpf_iter__task_file *context) {
    struct file *file = context->file;
    struct task_struct *task = context->task;
    struct socket *socket = file && task ? bpf_sock_from_file(file) : NULL;
    struct sock *sk = socket ? socket->sk : NULL;
    if (!sk || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
        return 0;
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!owner || owner->tgid)
        return 0;
    owner->tgid = task->tgid;
    owner->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    owner->cgroup_id = task_cgroup(task);
    return 0;
}

int seed_phase; /* 0: listeners, 1: connections */

SEC("iter/tcp")
int seed_connections(struct bpf_iter__tcp *context) {
    struct sock_common *common = context->sk_common;
    struct tcp_sock *tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
    struct sock *sk = (struct sock *)tcp;
    if (!sk)
        return 0;
    int state = sk->__sk_common.skc_state;
    struct listen_key key = {.netns = netns_of(sk), .port = sk->__sk_common.skc_num};
    __u32 one = 1;
    if (seed_phase == 0 && state == BPF_TCP_LISTEN)
        bpf_map_update_elem(&listeners, &key, &one, BPF_ANY);
    if (seed_phase == 0 || state != BPF_TCP_ESTABLISHED)
        return 0;
    struct conn *conn = conn_of(sk);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (!conn || conn->role || !owner || (conn->flags & FLAG_IGNORED))
        return 0;
    guess_role(sk, conn);
    read_isn(conn, tcp);
    register_end(conn);
    conn->sent = tcp->bytes_acked - (conn->role == ROLE_CLIENT) + (__u32)(tcp->write_seq - tcp->snd_una);
    conn->received = tcp->bytes_received - (__u32)(tcp->rcv_nxt - tcp->copied_seq);
    send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0);
    return 0;
}
