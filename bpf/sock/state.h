/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the socket layer keeps: settings, state on the socket, rings, counters, and who owns a socket.
 *
 * All state sits on the socket in two sk_storage maps and is freed with it. `owners` is cloned to accepted sockets,
 * `conns` is not: an accepted socket must not inherit a role or offsets.
 */
#ifndef WEFT_BPF_SOCK_STATE_H
#define WEFT_BPF_SOCK_STATE_H

#include "../owners.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20 /* TCP: received bytes are thrown away */
#define MSG_ERRQUEUE 0x2000
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define PAYLOAD_MASK 0x1fff /* the most that one record shows */

const volatile __u32 self_tgid;             /* sockets of this process are left out */
const volatile __u32 only_netns;            /* 0: every network namespace */
const volatile __s32 cgroup_subsystem = -1; /* v1 controller that names containers; -1: the v2 hierarchy */
const volatile __u32 ring_mask;             /* rings - 1 */

/* Set by the agent before it sleeps on a ring: the next record wakes it. */
__u32 sleeping[RINGS_MAX];

enum copy_policy { POLICY_UNKNOWN, POLICY_HEADS, POLICY_STREAM, POLICY_HANDSHAKE, POLICY_OPAQUE };

enum {
    FLAG_OPENED_SENT = 1,
    FLAG_PEER_LOCAL = 2,
    FLAG_PEER_DECIDED = 4,
    FLAG_TURN_LOST = 8,
    FLAG_IGNORED = 16,
    FLAG_FOUND_OPEN = 32, /* older than the agent: who spoke first is not known */
    FLAG_CLOSED = 64,     /* told; an MPTCP socket closes more than once */
    FLAG_BOUND_SENT = 128 /* UDP: told before its first operation, which tells of it again */
};

/* How the heads of a server's HTTP answers look; see stream.h. */
struct answers {
    __u16 length_at; /* where the field Content-Length stood in one; 0: not found */
    __u16 searches;
};

/* TCP: everything. UDP: cookie, flags, lost, local port, owner, and `sent`, `received` as sums over all peers. */
struct conn {
    /* What each operation touches, in two cache lines. */
    __u8 flags, role, policy, turn_egress;
    __u8 ring, batch, proof, pad;
    __u32 tgid;       /* of the owner that userspace was told */
    __u32 descriptor; /* + 1, by which that process holds the socket; 0: not known */
    __u64 turn_start, last_time;
    __u64 sent, received; /* stream offsets after the last operation */
    __u32 turn, operations;
    __u64 cookie;
    __u32 lost, lost_reported;
    __u64 told_time, told_bytes; /* of the last record that said how far this end had come */
    union {
        __u64 durations[TURNS_PER_RECORD]; /* TCP client whose peer is on this host */
        struct session_key session;        /* UDP: the last peer */
        struct answers answers;            /* TCP server */
    };
    __u64 isn, connect_time;
    __u32 unknown_operations;
    __u32 sessions;   /* UDP: peers of this socket so far */
    __u16 local_port; /* the kernel has cleared its own when it reports the close */
    __u16 pad2[3];
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct conn);
} conns SEC(".maps");

struct ring_map {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096); /* a pattern only: the agent makes the rings */
} ring_pattern SEC(".maps");

/* Which ring is chosen by the connection, so that both its ends meet in one place and in order. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, RINGS_MAX);
    __type(key, __u32);
    __array(values, struct ring_map);
} rings SEC(".maps") = {.values = {&ring_pattern}};

/*
 * Closes that found their ring full. A close carries what nothing else tells (the last totals, turns that were lost),
 * so it waits here until the agent comes by.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64); /* cookie */
    __type(value, struct unsent_close);
} unsent SEC(".maps");
__u64 unsent_count; /* of all times: tells the agent when to look */

/* Names of processes and containers: apart, since they belong to no connection. */
#define EVENTS_BYTES (1 << 20)
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

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

/* ---- rings ---- */

static __u8 ring_of(__u64 key) {
    return (key * 0x9e3779b97f4a7c15ULL >> 40) & ring_mask;
}

static void *ring_at(__u32 ring) {
    return bpf_map_lookup_elem(&rings, &ring);
}

/*
 * Records wake nobody. If the agent sleeps on this ring, it is woken by an empty record after the true one: the flag
 * must be read after that was committed, which is a full barrier.
 */
static void wake_agent(__u32 index, void *ring) {
    __u32 *asleep = &sleeping[index & (RINGS_MAX - 1)];
    if (!*asleep)
        return;
    *asleep = 0;
    void *nothing = bpf_ringbuf_reserve(ring, 8, 0);
    if (nothing)
        bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

static int send_close(struct record_closed *closed, __u32 index) {
    void *ring = ring_at(index);
    struct unsent_close late = {.closed = *closed, .ring = index};
    if (ring && !bpf_ringbuf_output(ring, closed, sizeof(*closed), BPF_RB_NO_WAKEUP)) {
        wake_agent(index, ring);
        return 0;
    }
    if (bpf_map_update_elem(&unsent, &closed->cookie, &late, BPF_ANY)) {
        count(COUNTER_RING_FULL_CLOSED, 1);
        return -1;
    }
    __sync_fetch_and_add(&unsent_count, 1);
    return 0;
}

/* ---- owners ---- */

static __u64 task_cgroup(struct task_struct *task) {
    if (cgroup_subsystem < 0)
        return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    struct css_set *set = BPF_CORE_READ(task, cgroups);
    struct cgroup_subsys_state *state = NULL;
    bpf_core_read(&state, sizeof(state), &set->subsys[cgroup_subsystem & 15]);
    return BPF_CORE_READ(state, cgroup, kn, id);
}

static void stamp_with(struct record_owner *owner, struct task_struct *task) {
    owner->tgid = BPF_CORE_READ(task, tgid);
    owner->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    owner->cgroup_id = task_cgroup(task);
}

/* The running process becomes the owner; kernel threads and io_uring workers never do. */
static void stamp(struct record_owner *owner) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    if (owner->tgid == bpf_get_current_pid_tgid() >> 32 || (BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_IO_WORKER)))
        return;
    stamp_with(owner, task);
}

/* ---- sockets ---- */

static __u32 netns_of(struct sock *sk) {
    return sk->__sk_common.skc_net.net->ns.inum;
}

static __noinline struct conn *conn_new(struct sock *sk) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!conn) {
        count(COUNTER_STORAGE_REFUSED, 1);
        return NULL;
    }
    conn->cookie = bpf_get_socket_cookie(sk);
    conn->local_port = sk->__sk_common.skc_num;
    conn->ring = ring_of(conn->cookie);
    if (only_netns && netns_of(sk) != only_netns)
        conn->flags |= FLAG_IGNORED;
    return conn;
}

static __always_inline struct conn *conn_of(struct sock *sk) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    return conn ? conn : conn_new(sk);
}

static bool is_v4_mapped(const struct in6_addr *address) {
    const __u32 *words = address->in6_u.u6_addr32;
    return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* An IPv6 socket that is bound to nothing speaks both: what it speaks with its peer decides. */
static void fill_addresses(struct sock *sk, struct record_opened *opened) {
    bool mapped = sk->__sk_common.skc_family == AF_INET6 && is_v4_mapped(&sk->__sk_common.skc_v6_daddr);
    if (sk->__sk_common.skc_family == AF_INET || mapped) {
        opened->family = AF_INET;
        *(__u32 *)opened->local_address = sk->__sk_common.skc_rcv_saddr;
        *(__u32 *)opened->remote_address = sk->__sk_common.skc_daddr;
    } else {
        opened->family = AF_INET6;
        bpf_probe_read_kernel(opened->local_address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
        bpf_probe_read_kernel(opened->remote_address, 16, &sk->__sk_common.skc_v6_daddr);
    }
    opened->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
}

static int send_opened(struct sock *sk, struct conn *conn, struct record_owner *owner, __u64 now, __u32 error) {
    void *ring = ring_at(conn->ring);
    struct record_opened *opened = ring ? bpf_ringbuf_reserve(ring, sizeof(*opened), 0) : NULL;
    if (!opened) {
        count(COUNTER_RING_FULL_OPENED, 1);
        return -1;
    }
    __builtin_memset(opened, 0, sizeof(*opened));
    opened->kind = error ? RECORD_FAILED : RECORD_OPENED;
    opened->transport = sk->sk_protocol == IPPROTO_UDP ? TRANSPORT_UDP : TRANSPORT_TCP;
    opened->role = conn->role;
    opened->proof = conn->proof;
    opened->time = now;
    opened->cookie = conn->cookie;
    opened->isn = conn->isn;
    opened->error = error;
    if (owner) {
        opened->owner = *owner;
        conn->tgid = owner->tgid;
        conn->descriptor = 0;
        if (owner->tgid == bpf_get_current_pid_tgid() >> 32) /* elsewhere `current` is whoever was interrupted */
            bpf_get_current_comm(opened->command, sizeof(opened->command));
    }
    opened->owner.netns = netns_of(sk);
    if (conn->connect_time)
        opened->latency = now - conn->connect_time;
    fill_addresses(sk, opened);
    opened->local_port = conn->local_port;
    bpf_ringbuf_submit(opened, BPF_RB_NO_WAKEUP);
    wake_agent(conn->ring, ring);
    if (!error)
        conn->flags |= FLAG_OPENED_SENT;
    return 0;
}

static __noinline int change_owner(struct sock *sk, struct conn *conn, __u64 now) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!owner) {
        count(COUNTER_STORAGE_REFUSED, 1);
        return 0;
    }
    stamp(owner);
    if (owner->tgid == self_tgid)
        conn->flags |= FLAG_IGNORED;
    else if (!(conn->flags & FLAG_OPENED_SENT) || conn->tgid != owner->tgid)
        send_opened(sk, conn, owner, now, 0);
    return 0;
}

/* At each operation: who performs it owns the socket from now on, and userspace knows. */
static __always_inline void refresh_owner(struct sock *sk, struct conn *conn, const struct task_struct *task,
                                          __u64 now) {
    if (!(conn->flags & FLAG_OPENED_SENT) || conn->tgid != (__u32)task->tgid)
        change_owner(sk, conn, now);
}

#endif
