/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The user's bytes, read from the arguments of the running system call after it moved them.
 *
 * A data record is put together in a scratch buffer. Socket tracepoints run with preemption off, so slot 0 is enough
 * for all of them. An fexit program may be preempted, but the kernel never runs the same program twice on one CPU
 * meanwhile (it counts a miss), so each of those has a slot of its own.
 */
#ifndef WEFT_BPF_SOCK_PAYLOAD_H
#define WEFT_BPF_SOCK_PAYLOAD_H

#include "registers.h"

#define IOVECS 8

enum { SLOT_TRACEPOINT, SLOT_SEND4, SLOT_SEND6, SLOT_SENDFILE, SLOT_RECEIVE4, SLOT_RECEIVE6, SLOTS };

/* Runs of user memory; `count` is 0 when this way of sending shows none. */
struct user_runs {
    struct iovec vector[IOVECS];
    int count;
};

struct data_scratch {
    union {
        struct record_data head;
        struct record_datagram datagram;
    };
    char payload[2 * (PAYLOAD_MASK + 1)]; /* twice, so that the verifier sees every offset plus size inside */
    struct user_runs runs;                /* too big for the stack of older kernels, which round each frame up */
};
_Static_assert(sizeof(struct record_data) == sizeof(struct record_datagram), "payload follows either");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SLOTS);
    __type(key, __u32);
    __type(value, struct data_scratch);
} scratch SEC(".maps");

/* What a thread's system call is at: which message of a vector, and the peer that a cgroup hook was told. */
struct call_state {
    const void *messages; /* argument of the running sendmmsg or recvmmsg */
    __u32 index;
    __u16 peer_port, peer_family; /* family 0: no peer was told */
    __u8 peer_address[16];
    __u64 cookie;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64); /* thread */
    __type(value, struct call_state);
} calls SEC(".maps");

struct user_mmsghdr {
    struct user_msghdr header;
    __u32 length, pad;
};

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* A task's registers lie as far from the start of its stack as any other's: found once with the helper. */
volatile __u64 registers_distance; /* 0: not known yet */
void *volatile registers_found;    /* a pointer that was stored is a number when it is read again */

static bool has_registers(const struct task_struct *task) {
    return !(task->flags & (PF_KTHREAD | PF_IO_WORKER)) && !TASK_IS_32BIT(task);
}

static struct pt_regs *user_registers(void) {
    struct task_struct *task = bpf_get_current_task_btf();
    if (!has_registers(task))
        return NULL;
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    if (!registers_distance) {
        registers_found = regs;
        registers_distance = (__u64)registers_found - (__u64)task->stack;
    }
    return regs;
}

/*
 * The same without the helper, where the kernel has the `cast` that takes its place. A constant: an older kernel
 * refuses what it would not run.
 */
static __always_inline struct pt_regs *known_registers(struct task_struct *task, const bool cast) {
    __u64 distance = registers_distance;
    if (!has_registers(task))
        return NULL;
    if (!cast)
        return (struct pt_regs *)bpf_task_pt_regs(task);
    return distance ? bpf_rdonly_cast(task->stack + distance, bpf_core_type_id_kernel(struct pt_regs)) : NULL;
}

/*
 * Whether the system call is about this socket. The kernel also sends for itself while a program is in some call about
 * something else (a write to a file on NFS or on a network block device): the registers then speak of that file's
 * bytes, which are nobody's business. What was found once for a process and a descriptor is remembered.
 */
static bool call_is_about(struct pt_regs *regs, struct sock *sk, struct conn *conn) {
    struct task_struct *task = bpf_get_current_task_btf();
    struct files_struct *files = task->files;
    struct fdtable *table = files->fdt;
    __u32 descriptor = SYSCALL_ARGUMENT_1(regs);
    __u64 file = 0;
    if (conn->descriptor == descriptor + 1)
        return true;
    if (!sk->sk_socket || descriptor >= table->max_fds)
        return false;
    bpf_probe_read_kernel(&file, sizeof(file), &table->fd[descriptor]);
    if (!file || file != (__u64)sk->sk_socket->file)
        return false;
    conn->descriptor = descriptor + 1;
    return true;
}

static void runs_of_vector(struct user_runs *runs, const void *vector, __u64 length) {
    __u32 wanted = length < IOVECS ? length : IOVECS;
    if (wanted && !bpf_probe_read_user(runs->vector, (wanted & 15) * sizeof(struct iovec), vector))
        runs->count = wanted;
}

static void runs_of_message(struct user_runs *runs, const void *header) {
    struct user_msghdr message;
    if (!bpf_probe_read_user(&message, sizeof(message), header))
        runs_of_vector(runs, message.msg_iov, message.msg_iovlen);
}

/* The index of this message in the vector of a sendmmsg or recvmmsg: hooks fire once for each, errors included. */
static __u32 message_index(struct pt_regs *regs, bool failed) {
    __u64 thread = bpf_get_current_pid_tgid();
    const void *messages = SYSCALL_ARGUMENT_2(regs);
    struct call_state *state = bpf_map_lookup_elem(&calls, &thread);
    if (!state) {
        struct call_state fresh = {};
        bpf_map_update_elem(&calls, &thread, &fresh, BPF_ANY);
        state = bpf_map_lookup_elem(&calls, &thread);
        if (!state)
            return 0;
    }
    __u32 index = state->messages == messages ? state->index : 0;
    bool last = failed || index + 1 >= (__u32)SYSCALL_ARGUMENT_3(regs);
    state->messages = last ? NULL : messages;
    state->index = last ? 0 : index + 1;
    return index;
}

/* `size` in its bounds, seen to be so by the verifiers of kernels that forget it when the compiler puts it aside. */
static __always_inline __u64 bounded(__u64 size) {
    asm volatile("%0 &= %1" : "+r"(size) : "i"(PAYLOAD_MASK));
    return size;
}

static bool is_vector_call(__u64 number) {
    return number == CALL_SENDMMSG || number == CALL_RECVMMSG;
}

/* The second argument is the bytes, the third how many. */
static __always_inline bool is_plain_call(__u64 number) {
    return number == CALL_READ || number == CALL_WRITE || number == CALL_SENDTO || number == CALL_RECVFROM;
}

/* The second argument is a vector of runs, the third how many. */
static __always_inline bool is_runs_call(__u64 number) {
    return number == CALL_READV || number == CALL_WRITEV;
}

/* Any whose bytes lie in user memory; those of sendfile and splice do not. */
static __always_inline bool is_user_call(__u64 number) {
    return is_plain_call(number) || is_runs_call(number) || number == CALL_SENDMSG || number == CALL_RECVMSG ||
           number == CALL_SENDMMSG || number == CALL_RECVMMSG;
}

/* A failed operation ends the vector that it stands in. */
static void forget_vector(void) {
    struct pt_regs *regs = user_registers();
    if (regs && is_vector_call(SYSCALL_NUMBER(regs)))
        message_index(regs, true);
}

static void user_runs(struct sock *sk, struct conn *conn, struct user_runs *runs) {
    struct pt_regs *regs = user_registers();
    runs->count = 0;
    if (!regs || !call_is_about(regs, sk, conn))
        return;
    void *argument = SYSCALL_ARGUMENT_2(regs);
    switch (SYSCALL_NUMBER(regs)) {
    case CALL_READ:
    case CALL_WRITE:
    case CALL_SENDTO:
    case CALL_RECVFROM:
        runs->vector[0].iov_base = argument;
        runs->vector[0].iov_len = SYSCALL_ARGUMENT_3(regs);
        runs->count = 1;
        break;
    case CALL_READV:
    case CALL_WRITEV:
        runs_of_vector(runs, argument, SYSCALL_ARGUMENT_3(regs));
        break;
    case CALL_SENDMSG:
    case CALL_RECVMSG:
        runs_of_message(runs, argument);
        break;
    case CALL_SENDMMSG:
    case CALL_RECVMMSG:
        runs_of_message(runs, (struct user_mmsghdr *)argument + message_index(regs, false));
        break;
    }
}

/*
 * Copies up to `wanted` (at most PAYLOAD_MASK) bytes of the runs of `slot`, after the first `skip`, to the scratch
 * buffer of `slot`; gives how many. Not static: the verifier then walks it once instead of once for each place that
 * calls it.
 */
__noinline int copy_runs(__u32 slot, __u32 skip, __u32 wanted) {
    struct data_scratch *space = bpf_map_lookup_elem(&scratch, &slot);
    __u32 copied = 0;
    if (!space)
        return 0;
    struct user_runs *runs = &space->runs;
    for (int i = 0; i < IOVECS; i++) {
        if (i >= runs->count || copied >= wanted)
            break;
        __u64 run = runs->vector[i].iov_len;
        if (skip >= run) {
            skip -= run;
            continue;
        }
        const char *from = (const char *)runs->vector[i].iov_base + skip;
        run -= skip;
        skip = 0;
        if (run > wanted - copied)
            run = wanted - copied;
        __u32 size = run & PAYLOAD_MASK, at = copied & PAYLOAD_MASK;
        if (!size)
            continue;
        if (bpf_probe_read_user(space->payload + at, size, from)) {
            count(COUNTER_PAYLOAD_UNREADABLE, 1);
            break;
        }
        copied = at + size;
    }
    return copied & PAYLOAD_MASK;
}

#endif
