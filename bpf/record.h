/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The only layouts shared by kernel and userspace. Fixed-width members, naturally aligned, padding named.
 *
 * Every record starts with its kind and names the socket by its cookie, which the kernel never reuses. Records of one
 * socket stand in the ring in the order in which they happened. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef WEFT_BPF_RECORD_H
#define WEFT_BPF_RECORD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum record_kind {
    RECORD_OPENED = 1,
    RECORD_DATA,
    RECORD_CLOSED,
    RECORD_TURNS,
    RECORD_FAILED,
    RECORD_EXEC,
    RECORD_CGROUP
};

enum socket_role { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };
enum direction_proof { PROOF_NONE, PROOF_CONNECT, PROOF_ACCEPT, PROOF_LISTEN };

struct record_owner {
    __u64 start_time; /* ns since boot, of the thread group's leader */
    __u64 cgroup_id;  /* of the hierarchy that names containers */
    __u32 tgid;       /* initial pid namespace; 0: not known */
    __u32 netns;      /* inode of the network namespace */
};

/* A connection is known: established, found open, or failed (`error` set). Sent again when the owner changes. */
struct record_opened {
    __u32 kind;
    __u16 family; /* AF_INET or AF_INET6; v4-mapped addresses are AF_INET */
    __u8 role, proof;
    __u64 time, cookie;
    __u64 isn; /* client's initial sequence number << 32 | server's; 0: not known */
    struct record_owner owner;
    __u8 local_address[16], remote_address[16]; /* network order; IPv4 in the first four bytes */
    __u16 local_port, remote_port;              /* host order */
    __u32 error;                                /* errno of a failed connect, else 0 */
    __u64 latency;                              /* ns from connect to established or failed; 0: not known */
    char command[16];
};

/* One send or receive whose head was copied. */
struct record_data {
    __u32 kind;
    __u32 captured; /* bytes that follow this header */
    __u64 time, cookie;
    __u64 offset;            /* stream offset of the first byte of this operation */
    __u64 other_offset;      /* how far the other direction had come */
    __u64 previous_turn_end; /* time of the last operation of the turn before this one; 0: none */
    __u32 length;            /* bytes the operation moved */
    __u32 turn;              /* number of this turn on this socket, from 1 */
    __u32 lost;              /* turns of this socket so far of which a head did not fit the ring */
    __u8 egress;             /* 1: sent by this socket */
    __u8 first;              /* 1: first operation of its turn */
    __u16 pad;
};

struct record_closed {
    __u32 kind;
    __u32 error;
    __u64 time, cookie;
    __u64 bytes_sent, bytes_received;
    __u64 last_time; /* of the last operation */
    __u32 turns, lost;
    __u32 retransmits, pad;
};

/* Durations of a client end whose peer is on this host: first byte written to last byte read, by turn. */
#define TURNS_PER_RECORD 8
struct record_turns {
    __u32 kind;
    __u32 count; /* of durations that stand here */
    __u64 time, cookie;
    __u32 durations[TURNS_PER_RECORD]; /* in units of 64 ns */
};

#define EXEC_ARGUMENTS 192
struct record_exec {
    __u32 kind;
    __u32 tgid;
    __u64 start_time;
    char executable[128];
    __u32 arguments_length, pad;
    char arguments[EXEC_ARGUMENTS];
};

struct record_cgroup {
    __u32 kind, pad;
    __u64 id;
    char path[240];
};

/* Everything the kernel side could not do, counted; the names stand in docs/operations.md. */
enum kernel_counter {
    COUNTER_RING_FULL_OPENED,
    COUNTER_RING_FULL_DATA,
    COUNTER_RING_FULL_CLOSED,
    COUNTER_RING_FULL_OTHER,
    COUNTER_LOST_TURNS_UNREPORTED, /* turns lost on connections whose close did not fit either */
    COUNTER_STORAGE_REFUSED,
    COUNTER_PEERS_FULL,
    COUNTER_PAYLOAD_UNREADABLE,
    COUNTER_KINDS,
};

#endif
