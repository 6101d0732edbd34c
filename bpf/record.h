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
    RECORD_CGROUP,
    RECORD_DATAGRAM,
    RECORD_SESSION,
    RECORD_PROGRESS
};

enum socket_role { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };
/* FIRST: the end that sent the first datagram seen of a session is its client. */
enum direction_proof { PROOF_NONE, PROOF_CONNECT, PROOF_ACCEPT, PROOF_LISTEN, PROOF_FIRST };
enum transport { TRANSPORT_TCP, TRANSPORT_UDP };

#define RINGS_MAX 16 /* a power of two */

/* What the iterator over TCP sockets does in a run. */
enum seed_phase { PHASE_LISTENERS, PHASE_CONNECTIONS, PHASE_PROGRESS };

struct record_owner {
    __u64 start_time; /* ns since boot, of the thread group's leader */
    __u64 cgroup_id;  /* of the hierarchy that names containers */
    __u32 tgid;       /* initial pid namespace; 0: not known */
    __u32 netns;      /* inode of the network namespace */
};

/*
 * A connection is known: established, found open, or failed (`error` set). Sent again when the owner changes.
 * A UDP socket is told once, before its first datagram: its role is unknown, its remote end zero unless connected, its
 * local address zero unless bound.
 */
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
    __u8 transport, pad[7];
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

/* How far a connection has come whose bytes are not shown: about once a second while it moves, and on request. */
struct record_progress {
    __u32 kind;
    __u32 lost;
    __u64 time, cookie;
    __u64 bytes_sent, bytes_received; /* stream offsets */
};

struct record_closed {
    __u32 kind;
    __u32 error;
    __u64 time, cookie;
    __u64 bytes_sent, bytes_received;
    __u64 last_time; /* of the last operation */
    __u32 turns, lost;
    __u32 retransmits, transport;
};

/* A close on its way through a map, since its ring was full. */
struct unsent_close {
    struct record_closed closed;
    __u64 ring;
};

/* Durations of a client end whose peer is on this host: first byte written to last byte read, by turn. */
#define TURNS_PER_RECORD 8
struct record_turns {
    __u32 kind;
    __u32 count; /* of durations that stand here */
    __u64 time, cookie;
    __u64 durations[TURNS_PER_RECORD]; /* ns */
};

/* One datagram of an unknown or understood protocol. A session is (cookie, peer's address, peer's port). */
struct record_datagram {
    __u32 kind;
    __u32 captured; /* bytes that follow this header */
    __u64 time, cookie;
    __u8 peer_address[16]; /* as in record_opened */
    __u16 peer_port, family;
    __u8 egress;
    __u8 role, proof; /* of this socket in this session */
    __u8 pad;
    __u32 length; /* bytes the operation moved: more than one datagram with segmentation offload */
    __u32 lost;   /* datagrams of this socket so far that did not fit the ring */
    __u64 reserved;
};

/* What a session moved never depends on records: these are kept in a map and read once a window. */
struct session_key {
    __u64 cookie;
    __u8 address[16];
    __u16 port, family;
    __u32 pad;
};
struct session_totals {
    __u64 datagrams_sent, datagrams_received, bytes_sent, bytes_received; /* cumulative */
    __u64 first_time, last_time;
    __u32 copied; /* operations whose bytes were copied so far */
    __u8 role, proof, pad[2];
};

/* The last totals of a session whose socket was closed; the map holds it no more. */
struct record_session {
    __u32 kind, pad;
    struct session_key key;
    struct session_totals totals;
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

/* What passes through AF_UNIX streams, by sending and receiving process; cumulative. */
struct unix_pair {
    __u32 sender, receiver; /* tgid; receiver 0: not known */
};
struct unix_totals {
    __u64 bytes, operations;
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
    COUNTER_SESSIONS_FULL, /* datagrams whose session found the table full */
    COUNTER_PEER_UNKNOWN,  /* datagrams of which no hook told the peer */
    COUNTER_UNIX_FULL,     /* AF_UNIX sends whose pair found the table full */
    COUNTER_LISTENERS_FULL,
    COUNTER_RUNS_MISSED, /* by the kernel's own count: a program was running on that CPU already */
    COUNTER_KINDS,
};

#endif
