/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The socket layer: who owns a socket, when it lives, and the heads of what it sends and receives.
 *
 * This file has the programs; what they do stands in the headers, one for each topic. Several kinds of program share
 * one body, and the agent loads those that the running kernel takes.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "../record.h"
#include "state.h"

#include "payload.h"

#include "datagram.h"
#include "names.h"
#include "stream.h"
#include "unix_pairs.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- owners ---- */

SEC("cgroup/sock_create")
int stamp_socket(struct bpf_sock *sk) {
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (owner)
        stamp(owner);
    return 1;
}

/* ---- operations ---- */

/* UDP, MPTCP and AF_UNIX; of failed operations, what ends a vector of messages. */
static __noinline int handle_other(struct sock *sk, int result, int flags, bool egress, __u32 slot) {
    __u16 family = sk->__sk_common.skc_family;
    if (family == AF_UNIX && result > 0 && egress)
        unix_send(sk, result);
    if (family != AF_INET && family != AF_INET6)
        return 0;
    if (result < 0 && sk->sk_protocol == IPPROTO_UDP)
        forget_vector();
    if (result <= 0 || (flags & (MSG_PEEK | MSG_ERRQUEUE)))
        return 0;
    if (sk->sk_protocol == IPPROTO_UDP)
        datagram_operation(sk, result, egress, slot);
    else if (sk->sk_protocol == IPPROTO_MPTCP)
        multipath_operation(sk, result, egress, slot);
    return 0;
}

/*
 * The same socket as a TCP socket. Kernels that have the tracepoints have a cast, which costs no instruction; where
 * returns from functions are slow, the helper shows.
 */
static __always_inline struct tcp_sock *as_tcp(struct sock *sk, __u32 slot) {
    if (slot == SLOT_TRACEPOINT)
        return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
    return bpf_skc_to_tcp_sock(sk);
}

/* `result` of an operation on any socket of the host. Inlined, as is what follows: TCP is what costs. */
static __always_inline int handle(struct sock *sk, int result, int flags, bool egress, __u32 slot) {
    __u16 family = sk->__sk_common.skc_family;
    bool tcp = (family == AF_INET || family == AF_INET6) && sk->sk_protocol == IPPROTO_TCP;
    if (!tcp)
        return handle_other(sk, result, flags, egress, slot);
    if (result <= 0 || (flags & (MSG_PEEK | MSG_ERRQUEUE)))
        return 0;
    struct tcp_sock *stream = as_tcp(sk, slot);
    return stream ? stream_operation(sk, stream, result, egress, !(flags & MSG_TRUNC), slot) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_send, struct sock *sk, int result, int flags) {
    return handle(sk, result, flags, true, SLOT_TRACEPOINT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_receive, struct sock *sk, int result, int flags) {
    return handle(sk, result, flags, false, SLOT_TRACEPOINT);
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return socket->sk ? handle(socket->sk, result, 0, true, SLOT_SEND4) : 0;
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return socket->sk ? handle(socket->sk, result, 0, true, SLOT_SEND6) : 0;
}

/* sendfile and splice before Linux 6.5; the function is gone since. The bytes are a file's: no user buffer has them. */
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_sendfile, struct socket *socket, struct page *page, int offset, size_t size, int flags, long result) {
    return socket->sk ? handle(socket->sk, result, 0, true, SLOT_SENDFILE) : 0;
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_stream_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return socket->sk ? handle_other(socket->sk, result, 0, true, SLOT_SEND4) : 0;
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_receive, struct socket *socket, struct msghdr *message, size_t size, int flags, int result) {
    return socket->sk ? handle(socket->sk, result, flags, false, SLOT_RECEIVE4) : 0;
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_receive, struct socket *socket, struct msghdr *message, size_t size, int flags, int result) {
    return socket->sk ? handle(socket->sk, result, flags, false, SLOT_RECEIVE6) : 0;
}

/* ---- life ---- */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} state_busy SEC(".maps");

static void change_state(struct sock *sk, int old, int new) {
    if (sk->sk_protocol == IPPROTO_TCP)
        stream_state(sk, old, new);
    else if (sk->sk_protocol == IPPROTO_MPTCP && new == BPF_TCP_CLOSE)
        stream_closed(sk, old);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, struct sock *sk, int old, int new) {
    __u32 zero = 0, *busy = bpf_map_lookup_elem(&state_busy, &zero);
    if (!busy)
        return 0;
    *(volatile __u32 *)busy = 1;
    change_state(sk, old, new);
    *(volatile __u32 *)busy = 0;
    return 0;
}

/*
 * A program runs once at a time on a CPU. When a packet interrupts tcp_state and changes another socket's state, the
 * kernel passes tcp_state over; this one, which comes after it for each event, then finds it busy and does its work.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state_nested, struct sock *sk, int old, int new) {
    __u32 zero = 0, *busy = bpf_map_lookup_elem(&state_busy, &zero);
    if (busy && *busy) {
        change_state(sk, old, new);
        count(COUNTER_RUNS_MISSED, 1); /* made up for: the agent takes it off */
    }
    return 0;
}

SEC("cgroup/sock_release")
int socket_released(struct bpf_sock *sk) {
    struct conn *conn = sk->protocol == IPPROTO_UDP ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
    if (conn)
        datagram_closed(conn);
    return 1;
}

SEC("cgroup/post_bind4")
int socket_bound4(struct bpf_sock *sk) {
    __u32 words[4] = {sk->src_ip4};
    if (sk->protocol == IPPROTO_UDP)
        datagram_bound(sk, AF_INET, words, sk->src_port);
    return 1;
}

SEC("cgroup/post_bind6")
int socket_bound6(struct bpf_sock *sk) {
    __u32 words[4] = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]};
    if (sk->protocol == IPPROTO_UDP)
        datagram_bound(sk, AF_INET6, words, sk->src_port);
    return 1;
}

SEC("cgroup/sendmsg4")
int send_peer4(struct bpf_sock_addr *context) {
    tell_peer4(context);
    return 1;
}

SEC("cgroup/sendmsg6")
int send_peer6(struct bpf_sock_addr *context) {
    tell_peer6(context);
    return 1;
}

SEC("cgroup/recvmsg4")
int receive_peer4(struct bpf_sock_addr *context) {
    tell_peer4(context);
    return 1;
}

SEC("cgroup/recvmsg6")
int receive_peer6(struct bpf_sock_addr *context) {
    tell_peer6(context);
    return 1;
}

/* ---- names ---- */

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *program) {
    send_exec(task, program);
    return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *group, const char *path) {
    send_cgroup(group, path);
    return 0;
}

/* ---- sockets that were open before: first every file of every task gives its owner, then every socket its state ----
 */

int seed_phase;
__u64 seed_refused; /* connections whose record found its ring full, since the agent last looked */

/* What moved since the last record of a connection: for an agent that is about to stop. */
static void flush_stream(struct sock *sk) {
    struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);
    if (conn && (conn->flags & FLAG_OPENED_SENT) && !(conn->flags & (FLAG_IGNORED | FLAG_PEER_LOCAL)) &&
        conn->told_bytes != conn->sent + conn->received)
        send_progress(conn, bpf_ktime_get_ns());
}

static void seed_listener(struct sock *sk) {
    if (!bpf_sk_storage_get(&conns, sk, 0, 0)) /* else it was counted: several processes may hold it */
        stream_state(sk, BPF_TCP_CLOSE, BPF_TCP_LISTEN);
}

/* May come by a socket again: what its ring refused is told then. */
static void seed_stream(struct sock *sk, struct tcp_sock *tcp) {
    struct conn *conn = conn_of(sk);
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
    if (!conn || !owner || is_subflow(tcp) || (conn->flags & (FLAG_IGNORED | FLAG_OPENED_SENT)))
        return;
    if (!conn->role) {
        guess_role(sk, conn);
        read_isn(conn, tcp);
        register_end(sk, conn);
        struct reading at;
        read_stream(tcp, &at);
        conn->sent = stream_sent(conn, &at);
        conn->received = stream_received(&at);
    }
    if (send_opened(sk, conn, owner, bpf_ktime_get_ns(), 0))
        __sync_fetch_and_add(&seed_refused, 1);
}

static void seed_tcp(struct sock *sk, struct tcp_sock *tcp) {
    int state = sk->__sk_common.skc_state;
    if (seed_phase == PHASE_LISTENERS && state == BPF_TCP_LISTEN)
        seed_listener(sk);
    else if (seed_phase == PHASE_CONNECTIONS && (state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT))
        seed_stream(sk, tcp);
    else if (seed_phase == PHASE_PROGRESS)
        flush_stream(sk);
}

/* The iterators over sockets see the agent's own network namespace; files are seen in every one. */
SEC("iter/task_file")
int seed_owners(struct bpf_iter__task_file *context) {
    struct file *file = context->file;
    struct task_struct *task = context->task;
    struct socket *socket = file && task ? bpf_sock_from_file(file) : NULL;
    struct sock *sk = socket ? socket->sk : NULL;
    if (!sk || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
        return 0;
    struct record_owner *owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (owner && !owner->tgid)
        stamp_with(owner, task);
    struct tcp_sock *tcp = sk->sk_protocol == IPPROTO_TCP ? bpf_skc_to_tcp_sock(sk) : NULL;
    if (tcp)
        seed_tcp(sk, tcp);
    return 0;
}

SEC("iter/tcp")
int seed_connections(struct bpf_iter__tcp *context) {
    struct sock_common *common = context->sk_common;
    struct tcp_sock *tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
    if (tcp)
        seed_tcp((struct sock *)tcp, tcp);
    return 0;
}

SEC("iter/udp")
int seed_datagrams(struct bpf_iter__udp *context) {
    struct udp_sock *udp = context->udp_sk;
    struct sock *sk = (struct sock *)udp;
    struct conn *conn = sk ? conn_of(sk) : NULL;
    if (conn && !(conn->flags & (FLAG_OPENED_SENT | FLAG_BOUND_SENT)))
        datagram_found(sk, conn);
    return 0;
}
